"""`streamtrans bench`: how fast it is here, and against whom."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from streamtrans.cli.shared.model_choice import ModelChoice, takes_model_alone
from streamtrans.cli.shared.options import JsonOption
from streamtrans.cli.shared.tables import print_table
from streamtrans.errors import UsageError

_PEERS = ("mlx-lm", "transformers", "reencode", "fxtranslate")


@takes_model_alone
def bench(
    model: ModelChoice,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="PEER[,PEER…]", help="mlx-lm, transformers, reencode, fxtranslate; or none."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few repeats: seconds, not minutes, and rough.")] = False,
    torch_python: Annotated[
        str,
        typer.Option(
            "--torch-python", metavar="PATH", show_default="this one", help="A Python with torch and transformers."
        ),
    ] = sys.executable,
    as_json: JsonOption = False,
) -> None:
    """Measure how fast this machine translates, and compare with others on the same weights.

    Everything runs side by side and the medians are reported, so that other programs on the machine slow all of it
    alike. A ratio is a peer's time over ours: above 1 we are faster. Unless --against is given, peers that can run
    the model and need nothing else are measured: mlx-lm and reencode, reencode for a chat model, or fxtranslate for a
    Firefox model. A chat model takes minutes, and is measured as with --quick.

    \b
    Examples:
      streamtrans bench --quick
      streamtrans bench --model en-de
      streamtrans bench --model mlx-community/Qwen2.5-1.5B-Instruct-4bit --from en --to de
      streamtrans bench --against mlx-lm,transformers,reencode --torch-python /opt/torch/bin/python
    """
    peers = None if against is None else [] if against == "none" else [peer.strip() for peer in against.split(",")]
    if unknown := [peer for peer in peers or [] if peer not in _PEERS]:
        raise UsageError(f"--against names {unknown[0]!r}; there are {', '.join(_PEERS)}, and none")
    from streamtrans.bench.suite import Suite

    with _activity(shown=not as_json) as advance:
        found = Suite(model.route, model.options, peers, torch_python, quick).run(advance)
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    print_table(["measure", "value", "what it is"], rows(found))
    for peer, reason in found["skipped"].items():
        print(f"→ {peer} skipped: {reason}")
    print(f"→ {_environment(found['environment'])}")


def rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The table of results: name, value with its unit, meaning."""
    lines = [
        ("target word", _ms(found["ms_per_target_word"]), "steady wait-3: a word read, a word written"),
        ("source word, agree", _ms(found["ms_per_source_word_agree"]), "looking ahead after each"),
        *(
            (
                f"source word, live at {n}",
                f"{_ms(live['median'])}, 95 % {_ms(live['p95'])}",
                "words of context; the model's own policy",
            )
            for n, live in found["ms_per_source_word_live"].items()
        ),
        ("first word", _ms(found["first_word_ms"]), "from the source word that allows it"),
        ("decode", _ms(found["decode_ms_per_token"]), "a target token"),
        ("read", _ms(found["read_ms_per_word"]), "a source word of two tokens"),
        *((f"prefill {n}", _ms(value), "source tokens at once") for n, value in found["prefill_ms"].items()),
        *(
            (f"batch {n}", _number(value, "{:.1f} /s"), "sentences translated, wait-3")
            for n, value in found["sentences_per_s"].items()
        ),
        ("against mlx-lm", _times(found["ratio_vs_mlx_lm_decode"]), "plain decoding, same weights and BLAS"),
        *(
            (f"against transformers {dtype}", _times(value), "a target word, the same passes in torch")
            for dtype, value in found["ratio_vs_transformers"].items()
        ),
        *(
            (f"against re-encoding at {n}", _times(value), "source words read; our own model, its memory emptied")
            for n, value in found["ratio_vs_reencode"].items()
        ),
        *(
            (f"tokens, {name}", _number(value, "{:.1f}"), "encoded per source word by a chat model")
            for name, value in found["tokens_per_source_word"].items()
        ),
        *(
            (f"against fxtranslate at {n}", _times(value), "words read; all of them translated anew after each")
            for n, value in found["ratio_vs_retranslate"].items()
        ),
        ("gemm", _number(found["gemm_fraction_of_numpy"], "{:.0%}"), "of numpy's speed, 1024 × 1024"),
        ("gemv", _number(found["gemv_fraction_of_numpy"], "{:.0%}"), "of numpy's speed, 1 × 4096 × 4096"),
        (
            "memory bandwidth",
            _number(found["memory_gb_per_s"], "{:.1f} GB/s"),
            "one thread; a decoded token reads every weight",
        ),
        ("cold start", _number(found["cold_start_s"], "{:.2f} s"), "from exec to the first written word"),
        ("ready", _number(found["ready_s"], "{:.2f} s"), "from exec to the first word read"),
        ("--help", _number(found["help_s"], "{:.2f} s"), "from exec to its end"),
        ("memory", _number(found["peak_mb"], "{:.0f} MiB"), "the most that live has held"),
    ]
    return [line for line in lines if line[1] != "–"]


def _ms(value: float | None) -> str:
    return _number(value, "{:.2f} ms")


def _times(value: float | None) -> str:
    return _number(value, "{:.2f} ×")


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _environment(found: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items() if version)
    threads = f" ({found['blas_threads']} threads)" if found["blas_threads"] else ""
    return (
        f"{found['model']}, {found['parameters'] / 1e6:.1f} M parameters in {found['dtype']}; {found['device']}, "
        f"{found['cpu']}, load {found['load']:.1f}; {found['blas']}{threads}; {versions}"
    )


@contextmanager
def _activity(shown: bool) -> Iterator[Callable[[str], None]]:
    """Shows the measure that is being taken, on a terminal's standard error."""
    if not (shown and sys.stderr.isatty()):
        yield lambda what: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(file=sys.stderr).status("loading") as status:
        yield lambda what: status.update(Text(f"measuring {what}"))
