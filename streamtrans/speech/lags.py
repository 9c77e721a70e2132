"""Lags of listening: of the recogniser, and of the translation after it."""

from statistics import median


class Lags:
    """Collects lags in seconds, in order."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def summary(self) -> dict[str, float | int | None]:
        """The number of words, the median, the 95th percentile, the largest, and the median of each third."""
        values = self.seconds
        third = len(values) // 3
        parts = values, values[:third], values[-third:] if third else []
        whole, first, last = (round(median(part), 2) if part else None for part in parts)
        ordered = sorted(values)
        high, most = (round(ordered[at], 2) if values else None for at in (int(0.95 * (len(values) - 1)), -1))
        return {"words": len(values), "median": whole, "p95": high, "max": most, "first": first, "last": last}

    def line(self, whose: str) -> str:
        """The summary in a line."""
        s = self.summary()
        if not s["words"]:
            return f"{whose}: no words"
        thirds = f"; first third {s['first']} s, last third {s['last']} s" if s["first"] is not None else ""
        return f"{whose}: median {s['median']} s, 95 % within {s['p95']} s, at most {s['max']} s{thirds}"
