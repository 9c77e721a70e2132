"""Calibrates a checkpoint for the policies that look into the model: its regret head and its alignment heads."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamtrans.models.loading import read_config
from streamtrans.models.qwen2_streaming.attention_recorder import Heads
from streamtrans.models.qwen2_streaming.model import Model
from streamtrans.models.qwen2_streaming.regret_head import FILE, RegretHead, fingerprint, save_regret_head
from streamtrans.training.calibration.alignment_heads import find_heads
from streamtrans.training.calibration.regret_head import Measured, train_head
from streamtrans.training.data.collator import Collator
from streamtrans.training.data.dataset import Pair
from streamtrans.training.files import replacing, written_aside

PAIRS_FOR_HEADS = 600


@dataclass(frozen=True)
class Calibration:
    """A checkpoint's regret head and alignment heads, each with its quality; auc_of_heads as `find_heads` gives it."""

    head: RegretHead
    measured: Measured
    heads: Heads
    auc_of_heads: float

    def lines(self) -> list[str]:
        """The qualities, in words."""
        names = ", ".join(f"{layer}.{head}" for layer, head in self.heads)
        return [*self.measured.lines(), f"AUC of where the alignment heads {names} look {self.auc_of_heads:.3f}"]


def calibrate_checkpoint(
    model: Model, collator: Collator, pairs: Sequence[Pair], advance: Callable[[int], None], seed: int = 0
) -> Calibration:
    """Finds the alignment heads, and trains the regret head that sees them, on the same pairs.

    collator: as `collator_for` makes it. advance: as `decisions`, for the pairs of `for_heads` and
    then for all. Raises DataError for pairs that are too few.
    """
    heads, auc_of_heads = find_heads(model, collator, for_heads(pairs), advance, seed)
    head, measured = train_head(model, heads, collator, pairs, advance, seed)
    return Calibration(head, measured, heads, auc_of_heads)


def for_heads(pairs: Sequence[Pair]) -> Sequence[Pair]:
    """The pairs that the alignment heads are found with."""
    return pairs[:: max(1, len(pairs) // PAIRS_FOR_HEADS)]


def write_calibrated(directory: Path, output: Path | None, found: Calibration) -> Path:
    """Writes into the checkpoint, or into a copy of it at `output`, and returns the directory. A kill spoils neither.

    Raises OSError or StreamtransError where that cannot be written.
    """
    if output is None:
        _write(directory, found)
        return directory
    with written_aside(output) as copy:
        shutil.copytree(directory, copy, dirs_exist_ok=True)
        _write(copy, found)
    return output


def write_chat_heads(directory: Path, output: Path | None, heads: Heads) -> Path:
    """Writes the alignment heads of a chat model into its config.json; as `write_calibrated`."""
    if output is None:
        with replacing(directory / "config.json") as config:
            config.write_text(_with_section(directory, {"kind": "chat"}, heads), encoding="utf-8")
        return directory
    with written_aside(output) as copy:
        shutil.copytree(directory, copy, dirs_exist_ok=True)
        write_chat_heads(copy, None, heads)
    return output


def _write(directory: Path, found: Calibration) -> None:
    with replacing(directory / FILE) as head, replacing(directory / "config.json") as config:
        config.write_text(_with_section(directory, {}, found.heads), encoding="utf-8")
        save_regret_head(found.head, head, fingerprint(directory))


def _with_section(directory: Path, entries: dict[str, str], heads: Heads) -> str:
    """The config.json of a directory, with alignment heads in its section."""
    values = read_config(directory)
    section = values.get("streamtrans", {}) | entries | {"alignment_heads": [list(pair) for pair in heads]}
    return json.dumps(values | {"streamtrans": section}, indent=2) + "\n"
