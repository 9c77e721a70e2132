"""How good a translation is: BLEU, chrF and TER by sacrebleu, COMET where it is installed.

Every score carries the signature that makes it reproducible. What cannot be scored is an error, never a 0.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streamtrans.errors import DataError, UsageError
from streamtrans.text.languages import primary

QUALITY = ("BLEU", "chrF", "TER")
COMET_MODEL = "Unbabel/wmt22-comet-da"
# sacrebleu's own choice by language pair; Thai has no tokenizer there, so its units are characters, as in latency.
_TOKENIZERS = {"zh": "zh", "ja": "ja-mecab", "ko": "ko-mecab", "th": "char"}


@dataclass(frozen=True)
class Quality:
    """A corpus score (BLEU, chrF, TER: 0 to 100; COMET: about 0 to 1) and its signature."""

    value: float
    signature: str


def tokenizer_of(language: str) -> str:
    """sacrebleu's BLEU tokenizer for a target language: 13a unless the language needs its own."""
    return _TOKENIZERS.get(primary(language), "13a")


def metric(name: str, tokenizer: str | None = "13a") -> Any:
    """sacrebleu's metric of this name, with the tokenizer that the language needs.

    Raises `UsageError` for an unknown name or tokenizer, or one not installed, `DataError` where it is not known.
    """
    from sacrebleu.metrics import BLEU, CHRF

    if name not in QUALITY:
        raise UsageError(f"no quality metric named {name!r}: choose from {', '.join(QUALITY)}, COMET")
    if name == "chrF":
        return CHRF()
    if tokenizer is None:
        raise DataError(f"{name} of characters needs to know the target language: give --language zh, ja or th")
    if name == "TER":
        return _ter(tokenizer)
    if tokenizer not in BLEU.TOKENIZERS:
        raise UsageError(f"no tokenizer named {tokenizer!r}: choose from {', '.join(sorted(BLEU.TOKENIZERS))}")
    try:
        return BLEU(tokenize=tokenizer)
    except (ImportError, RuntimeError):
        extra = tokenizer.split("-")[0]
        raise UsageError(
            f"the tokenizer {tokenizer} is not installed: pip install 'sacrebleu[{extra}]', or choose another one"
        ) from None


def _ter(tokenizer: str) -> Any:
    """TER whose words are not whole sentences; its own tokenizer can split Chinese and Japanese, but not Thai."""
    from sacrebleu.metrics import TER
    from sacrebleu.tokenizers.tokenizer_char import TokenizerChar

    asian, characters = tokenizer in ("zh", "ja-mecab"), tokenizer == "char"
    ter: Any = TER(normalized=asian, asian_support=asian, case_sensitive=characters)
    if characters:
        ter.tokenizer = TokenizerChar()
        ter.tokenizer_signature = ter.tokenizer.signature()
    return ter


def corpus_quality(
    name: str, predictions: Sequence[str], references: Sequence[Sequence[str]], tokenizer: str | None = "13a"
) -> Quality:
    """One of BLEU, chrF, TER over a corpus; references: one list or several, as sacrebleu takes them.

    Raises `DataError` for unequal counts or none.
    """
    _check(predictions, references)
    scorer = metric(name, tokenizer)
    score = scorer.corpus_score(predictions, references).score
    return Quality(float(score), str(scorer.get_signature()))


def _check(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    for lines in references:
        if len(predictions) != len(lines):
            raise DataError(f"{len(predictions)} translations but {len(lines)} references: they must be as many")
    if not predictions:
        raise DataError("no sentences to score")


def comet(sources: Sequence[str], predictions: Sequence[str], references: Sequence[str]) -> Quality:
    """COMET over a corpus, which takes one reference per sentence.

    It needs the package unbabel-comet, and its model on disk or a network.

    Raises `UsageError` when the package or the model is not there, `DataError` for unequal counts.
    """
    _check(predictions, [references])
    if len(sources) != len(predictions):
        raise DataError(f"{len(sources)} sources but {len(predictions)} translations: they must be as many")
    try:
        import comet as package
        import torch
    except ImportError:
        raise UsageError("COMET is not installed: pip install unbabel-comet, or score without it") from None
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)  # it advertises itself on standard error
    try:
        scorer = package.load_from_checkpoint(package.download_model(COMET_MODEL))
    except Exception as error:  # its downloads fail with whatever the hub, the network or the disk raises
        raise UsageError(f"COMET cannot load {COMET_MODEL}: {error}") from error
    data = [
        {"src": source, "mt": prediction, "ref": reference}
        for source, prediction, reference in zip(sources, predictions, references, strict=True)
    ]
    output = scorer.predict(data, batch_size=16, gpus=int(torch.cuda.is_available()), progress_bar=False)
    version = getattr(package, "__version__", "unknown")
    return Quality(float(output.system_score), f"model:{COMET_MODEL}|version:{version}")
