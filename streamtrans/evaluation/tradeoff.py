"""Quality against latency in figures: what each run has, and what each policy has at the same lag."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streamtrans.evaluation.curves import Curve, Point, by_policy, is_offline
from streamtrans.evaluation.runs import Run
from streamtrans.evaluation.significance import Comparison, compare_curves

BASELINE = "wait-k"
LAGS = (2.5, 3.0, 3.5, 4.0, 5.0)

Table = tuple[list[str], list[list[str]]]  # the names of the columns, the rows


@dataclass(frozen=True)
class Tradeoff:
    """Curves of one system or several, and the lags at which they are compared.

    comparisons: for each policy of the first system its `Comparison` with the baseline at each lag, None where one of
    the two does not reach.
    """

    curves: Sequence[Curve]
    lags: Sequence[float] = LAGS
    comparisons: Mapping[str, Sequence[Comparison | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, runs: Sequence[Run], curves: Sequence[Curve], lags: Sequence[float] = LAGS) -> "Tradeoff":
        """The `curves`, which begin with the runs' own; their policies are compared with wait-k.

        Raises `DataError` as `compare_curves`.
        """
        policies = {policy: of for policy, of in by_policy(runs).items() if not all(map(is_offline, of))}
        comparable = BASELINE in policies and len(policies) > 1
        return cls(curves, lags, compare_curves(policies, BASELINE, lags) if comparable else {})

    def runs(self) -> Table:
        """Quality, latency and share of the offline quality of every run, the offline run of a system after its own."""
        first = self.curves[0]
        rows: list[list[str]] = []
        for system, curves in self._systems().items():
            rows += [[system, curve.policy, *self._cells(curve, point)] for curve in curves for point in curve.points]
            rows += [[system, "offline", *self._cells(curve, curve.offline)] for curve in curves if curve.offline]
        return self._table(["policy", "run", first.quality_name, first.latency_name, "of offline"], rows)

    def at_lags(self) -> Table:
        """Quality of every policy at each lag, on straight lines between its runs; blank where it has no such lag."""
        first = self.curves[0]
        rows = [
            [curve.system, curve.policy, *(_figure(curve.at(lag)) for lag in self.lags)]
            for curve in self.curves
            if curve.points
        ]
        columns = [f"{first.latency_name} {lag:g}" for lag in self.lags]
        return self._table([f"{first.quality_name} at", *columns], rows)

    def sentences(self) -> list[str]:
        """The comparisons in words, by policy."""
        lines = []
        for policy, comparisons in self.comparisons.items():
            for lag, comparison in zip(self.lags, comparisons, strict=True):
                if comparison:
                    lines.append(f"{self._at(lag)}: {comparison.sentence(policy, BASELINE)}")
        return lines

    def as_list(self) -> list[dict[str, Any]]:
        """Ready for JSON: an object for each curve; what a curve does not reach is null."""
        return [self._as_dict(curve) for curve in self.curves]

    def _as_dict(self, curve: Curve) -> dict[str, Any]:
        own = curve.system == self.curves[0].system
        comparisons = self.comparisons.get(curve.policy) if own else None
        offline = self._offline(curve)
        return {
            "system": curve.system,
            "policy": curve.policy,
            "runs": [self._point(curve, point) for point in curve.points],
            "offline": self._point(curve, offline) if offline else None,
            "at": [
                {
                    curve.latency_name: lag,
                    curve.quality_name: curve.at(lag),
                    "share": self._share(curve, curve.at(lag)),
                    "comparison": _comparison(curve.policy, comparison),
                }
                for lag, comparison in zip(self.lags, comparisons or [None] * len(self.lags), strict=True)
            ],
        }

    def _point(self, curve: Curve, point: Point) -> dict[str, Any]:
        return {
            "run": point.name,
            curve.quality_name: point.quality,
            curve.latency_name: point.latency,
            "share": self._share(curve, point.quality),
            "sentences": point.sentences,
        }

    def _cells(self, curve: Curve, point: Point) -> list[str]:
        share = self._share(curve, point.quality)
        percent = "" if share is None else f"{100 * share:.1f} %"
        return [point.name, _figure(point.quality), _figure(point.latency), percent]

    def _at(self, lag: float) -> str:
        return f"at {self.curves[0].latency_name} {lag:g}"

    def _table(self, columns: list[str], rows: list[list[str]]) -> Table:
        """With the system of each row, where there are several."""
        if len(self._systems()) > 1:
            return ["system", *columns], rows
        return columns, [row[1:] for row in rows]

    def _systems(self) -> dict[str, list[Curve]]:
        systems: dict[str, list[Curve]] = {}
        for curve in self.curves:
            systems.setdefault(curve.system, []).append(curve)
        return systems

    def _offline(self, curve: Curve) -> Point | None:
        return next((other.offline for other in self._systems()[curve.system] if other.offline), None)

    def _share(self, curve: Curve, quality: float | None) -> float | None:
        """Of the quality of the system's offline run, from 0 to about 1."""
        offline = self._offline(curve)
        return quality / offline.quality if offline and offline.quality and quality is not None else None


def _comparison(policy: str, comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    return comparison.as_dict() | {"with": BASELINE, "text": comparison.sentence(policy, BASELINE)}


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
