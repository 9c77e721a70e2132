"""One translated sentence with its delays, and the log that the field shares.

`instances.log` is SimulEval's: one JSON object per line with index, prediction, delays, elapsed, prediction_length,
reference, source, source_length. Ours adds elapsed_ms, unit, source_unit, references where there are several and, for
policies that revise, deleted; other readers ignore them. SimulEval's logs of text, which OmniSTEval scores too, are
read as they are.
"""

import json
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from streamtrans.errors import DataError, StreamtransError, StreamtransWarning
from streamtrans.files import text_lines, write_atomically
from streamtrans.text.words import is_unspaced, units

Unit = Literal["word", "char"]

# A log states its unit, not its language; these stand for the two ways in which languages are split.
_LANGUAGE_OF: dict[str, str] = {"word": "en", "char": "zh"}
_UNITS = tuple(_LANGUAGE_OF)
_ROUNDING = 1e-6
_END = "</s>"


def unit_of(language: str) -> Unit:
    """The unit in which texts of this language ("pt", "zh-CN") are counted."""
    return "char" if is_unspaced(language) else "word"


def split(text: str, unit: Unit) -> list[str]:
    """The units of a text: words by white space, or the characters that are not white space."""
    return units(text, _LANGUAGE_OF[unit])


@dataclass(frozen=True)
class Instance:
    """One sentence as it was translated; making one that cannot be raises `DataError`.

    delays[i]: source units read when target unit i was written; for a policy that revises, when it last changed.
    elapsed[i]: when unit i was ready, computation included, in source units; None when not measured.
    elapsed_ms[i]: the same in milliseconds. deleted: target units taken back by revisions.
    source: None when the log does not say it. unit: of the target; source_unit: of the source.
    reference: without the white space around it, which files and SimulEval's logs leave there; `other_references` where
    there are several, which all count for quality, and the first for latency.
    """

    index: int
    source: tuple[str, ...] | None
    source_length: float
    prediction: str
    delays: tuple[float, ...]
    reference: str | None = None
    elapsed: tuple[float, ...] | None = None
    elapsed_ms: tuple[float, ...] | None = None
    deleted: int = 0
    unit: Unit = "word"
    source_unit: Unit = "word"
    other_references: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.reference is not None:
            object.__setattr__(self, "reference", self.reference.strip())
        object.__setattr__(self, "other_references", tuple(other.strip() for other in self.other_references))
        _check(self)

    @property
    def units(self) -> list[str]:
        """The units that were written. White space is no character; but where only that gives one delay for each,
        every character but U+0020 is one, which is how SimulEval counts."""
        found = split(self.prediction, self.unit)
        if self.unit == "char" and len(found) != len(self.delays):
            all_but_spaces = [character for character in self.prediction if character != " "]
            return all_but_spaces if len(all_but_spaces) == len(self.delays) else found
        return found

    @property
    def references(self) -> tuple[str, ...]:
        """All references; none, one or several."""
        return () if self.reference is None else (self.reference, *self.other_references)

    @property
    def reference_length(self) -> int:
        """Y, in target units, of the first reference; the length of the prediction where that is missing or empty."""
        return len(split(self.reference or "", self.unit)) or len(self.delays)

    @property
    def source_text(self) -> str | None:
        """The source as one string, None when unknown."""
        return None if self.source is None else (" " if self.source_unit == "word" else "").join(self.source)


def _check(instance: Instance) -> None:
    length, delays = instance.source_length, instance.delays
    if instance.unit not in _UNITS or instance.source_unit not in _UNITS:
        raise DataError(f'unit is {instance.unit!r} and source_unit {instance.source_unit!r}: use "word" or "char"')
    _check_numbers("source_length", (length,))
    if instance.source is not None and len(instance.source) != length:
        raise DataError(f"source_length is {length:g} but source has {len(instance.source)} {instance.source_unit}s")
    written = len(instance.units)
    if written != len(delays):
        raise DataError(
            f"{len(delays)} delays for a prediction of {written} {instance.unit}s: there must be one delay for each"
        )
    _check_times("delays", delays)
    if delays and delays[-1] > length:
        raise DataError(f"delays reach {delays[-1]:g} but the source has a length of {length:g}")
    _check_numbers("deleted", (instance.deleted,))
    for name, times in (("elapsed", instance.elapsed), ("elapsed_ms", instance.elapsed_ms)):
        if times is not None:
            if len(times) != len(delays):
                raise DataError(f"{name} has {len(times)} values but delays has {len(delays)}")
            _check_times(name, times)
    for position, (ready, read) in enumerate(zip(instance.elapsed or (), delays, strict=False)):
        if ready < read - _ROUNDING:
            raise DataError(
                f"elapsed[{position}] is {ready:g}, before its delay {read:g}: elapsed counts source units, like delays"
            )


def _check_times(name: str, times: Sequence[float]) -> None:
    _check_numbers(name, times)
    for position in range(1, len(times)):
        if times[position] < times[position - 1]:
            raise DataError(
                f"{name} fall from {times[position - 1]:g} to {times[position]:g} at position {position}: "
                "time cannot run backwards"
            )


def _check_numbers(name: str, numbers: Sequence[float]) -> None:
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise DataError(f"{name} holds {number!r}, which is not a number")
        if not 0 <= number <= sys.float_info.max:
            raise DataError(f"{name} holds {number}: numbers must be finite and not negative")


def read_log(path: str | os.PathLike[str], unit: Unit = "word") -> list[Instance]:
    """The instances of a log, sorted by index.

    unit: of the target, where the log does not say it (only ours do).
    Raises `DataError` naming the file and the line: no such file, not UTF-8, not JSON, missing fields, delays that
    fall, exceed the source or do not match the prediction, an index twice. Warns once of a log with end marks.
    """
    instances: list[Instance] = []
    numbers: dict[int, int] = {}
    ended = False
    for number, line in enumerate(text_lines(Path(path)), 1):
        if not line.strip():
            continue
        try:
            fields = _fields(line)
            ended |= _drop_end(fields)
            instance = _instance(fields, len(instances), unit)
            if instance.index in numbers:
                raise DataError(f"index {instance.index} again, first in line {numbers[instance.index]}: remove one")
        except DataError as error:
            raise DataError(f"{path}:{number}: {error}") from None
        numbers[instance.index] = number
        instances.append(instance)
    if not instances:
        raise DataError(f"{path}: no instances in it; expected one JSON object per line, as SimulEval writes")
    if ended:
        said = f"{path}: {_END} at the end of a prediction is no word and is left out"
        warnings.warn(said, StreamtransWarning, stacklevel=2)
    return sorted(instances, key=lambda instance: instance.index)


def with_references(instances: Sequence[Instance], references: Sequence[Sequence[str]], name: str) -> list[Instance]:
    """The instances with other references: one or several lists with a line for each instance, in their order.

    name: of the run, for the DataError that a list of another length raises.
    """
    for lines in references:
        if len(lines) != len(instances):
            raise DataError(
                f"{name}: {len(instances)} instances but {len(lines)} references: give the references of exactly "
                "these sentences, one per line"
            )
    lines_of_each = zip(*references, strict=True)
    return [
        replace(i, reference=first, other_references=tuple(others))
        for i, (first, *others) in zip(instances, lines_of_each, strict=True)
    ]


def _not_finite(name: str) -> float:
    raise DataError(f"{name} in it: numbers must be finite and not negative")


def _fields(line: str) -> dict[str, Any]:
    """The fields of a line of a log. Raises DataError where one is missing that every log must have."""
    try:
        fields = json.loads(line, parse_constant=_not_finite)
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON ({error.msg} at column {error.colno}); every line must be one JSON object") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets nested as deep
        raise DataError(f"JSON that cannot be read ({error}); every line must be one JSON object") from None
    if not isinstance(fields, dict):
        raise DataError(f"a JSON {type(fields).__name__}, expected an object with prediction and delays")
    if "delays" not in fields and ("emission_cu" in fields or "emission_ca" in fields):
        raise DataError("a resegmented log of OmniSTEval, in milliseconds of a recording: score the log it came from")
    missing = [name for name in ("prediction", "delays") if fields.get(name) is None]
    if fields.get("source") is None and fields.get("source_length") is None:
        missing.append("source or source_length")
    if missing:
        raise DataError(
            f"missing {', '.join(missing)}: every line needs prediction, delays and the source or its length"
        )
    return fields


def _drop_end(fields: dict[str, Any]) -> bool:
    """Takes the end mark, which SimulEval 1.0 writes as a last word, out of a prediction, with its delay and times;
    tells whether there was one."""
    prediction, delays = fields["prediction"], fields["delays"]
    if not (isinstance(prediction, str) and prediction.rstrip().endswith(_END) and isinstance(delays, list) and delays):
        return False
    rest = prediction.rstrip().removesuffix(_END)
    if rest and not rest[-1].isspace() and len(split(rest, "char")) + 1 != len(delays):
        return False  # a word that ends so
    fields["prediction"] = rest.rstrip()
    if fields.get("prediction_length") == len(delays):
        fields["prediction_length"] -= 1
    for name in ("delays", "elapsed", "elapsed_ms"):
        if isinstance(fields.get(name), list) and len(fields[name]) == len(delays):
            fields[name] = fields[name][:-1]
    return True


def _instance(fields: dict[str, Any], position: int, unit: Unit) -> Instance:
    source, source_unit = _source(fields)
    prediction, index = fields["prediction"], fields.get("index", position)
    reference, references = fields.get("reference"), fields.get("references") or []
    if not isinstance(prediction, str) or not isinstance(reference, str | None):
        raise DataError("prediction and reference must be strings")
    if not isinstance(references, list) or not all(isinstance(one, str) for one in references):
        raise DataError("references must be a list of strings")
    if references and references[0] != reference:
        raise DataError("the first of references is not the reference: all or none of them must be replaced")
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        raise DataError(f"index is {index!r}: expected a whole number from 0")
    instance = Instance(
        index=index,
        source=source,
        source_length=len(source) if fields.get("source_length") is None else fields["source_length"],
        prediction=prediction,
        delays=_times(fields, "delays") or (),
        reference=reference,
        elapsed=_elapsed(fields),
        elapsed_ms=_times(fields, "elapsed_ms"),
        deleted=fields.get("deleted", 0),
        unit=fields.get("unit", unit),
        source_unit=source_unit,
        other_references=tuple(references[1:]),
    )
    written = len(instance.delays)
    if fields.get("prediction_length") not in (None, written):
        raise DataError(f"prediction_length is {fields['prediction_length']!r} but the prediction has {written} units")
    return instance


def _source(fields: dict[str, Any]) -> tuple[Any, Unit]:
    """Source units and their unit: a list as it is; a string by white space, or by characters if only that gives
    the stated length (SimulEval writes the words joined by spaces)."""
    source, stated = fields.get("source"), fields.get("source_length")
    declared = fields.get("source_unit")
    if isinstance(source, str):
        by = {unit: tuple(split(source, unit)) for unit in ("word", "char")}
        only_characters = stated is not None and len(by["word"]) != stated == len(by["char"])
        declared = declared or ("char" if only_characters else "word")
        source = by["char" if declared == "char" else "word"]
    elif source is not None and not (isinstance(source, list) and all(isinstance(word, str) for word in source)):
        raise DataError("source must be a string or a list of words")
    return (None if source is None else tuple(source)), declared or "word"


def _times(fields: dict[str, Any], name: str) -> tuple[float, ...] | None:
    values = fields.get(name)
    if not isinstance(values, list | None):
        raise DataError(f"{name} is {values!r}: expected a list of numbers")
    return None if values is None else tuple(values)


def _elapsed(fields: dict[str, Any]) -> tuple[float, ...] | None:
    """None where it was not measured: SimulEval writes zeros there for every text system, others the delays."""
    elapsed = _times(fields, "elapsed")
    return None if elapsed and (not any(elapsed) or elapsed == _times(fields, "delays")) else elapsed


def to_json(instance: Instance) -> str:
    """One line of the log, without its newline."""
    fields: dict[str, Any] = {
        "index": instance.index,
        "prediction": instance.prediction,
        "delays": instance.delays,
        "elapsed": instance.elapsed,
        "prediction_length": len(instance.delays),
        "reference": instance.reference,
        "source": instance.source_text,
        "source_length": instance.source_length,
        "elapsed_ms": instance.elapsed_ms,
        "unit": instance.unit,
        "source_unit": instance.source_unit,
    }
    if instance.other_references:
        fields["references"] = instance.references
    if instance.deleted:
        fields["deleted"] = instance.deleted
    return json.dumps(fields, ensure_ascii=False)


def write_log(path: str | os.PathLike[str], instances: Iterable[Instance]) -> None:
    """Write a whole log, or, when that fails (`StreamtransError`), leave the old one."""
    write_atomically(Path(path), "".join(to_json(instance) + "\n" for instance in instances))


def append(path: str | os.PathLike[str], instances: Iterable[Instance]) -> None:
    """Add instances to the end of a log, made if need be; whole lines reach the file in one write each call."""
    try:
        with open(path, "a", encoding="utf-8", newline="\n") as log:
            log.write("".join(to_json(instance) + "\n" for instance in instances))
    except OSError as error:
        raise StreamtransError(f"{path}: cannot write the log: {error.strerror}") from None


def resume(path: str | os.PathLike[str], unit: Unit = "word") -> list[Instance]:
    """The finished instances of an interrupted run, [] without a log; half a last line is cut off, in the file too."""
    path = Path(path)
    try:
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with open(path, "r+b") as log:
                log.truncate(len(whole))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    return read_log(path, unit=unit) if whole.strip() else []
