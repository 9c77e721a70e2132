"""`streamtrans train`: a model from your own sentence pairs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from streamtrans.cli.shared.options import JsonOption, PlainOption
from streamtrans.errors import UsageError

INSTALL = "training needs two more packages: pip install pydantic pyyaml"


def train(
    config: Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="YAML configuration of the run.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]…", help="Changes to it: data.path=my.tsv optimiser.steps=500"),
    ] = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Train a model, or go on with a run that was interrupted.

    \b
    Examples:
      streamtrans train -c configs/tiny.yaml data.path=my.tsv run=runs/mine
      streamtrans live --model runs/mine/best
      mlx.launch -n 2 -- streamtrans train -c configs/tiny.yaml     two processes, one model

    Ctrl-C saves and ends; the same command goes on exactly where it was.
    """
    try:
        from streamtrans.training.config import load_config
    except ImportError as error:
        if error.name not in ("pydantic", "yaml"):
            raise
        raise UsageError(INSTALL) from error
    settings = load_config(config, overrides)
    run = settings.run or Path("runs") / config.stem

    from streamtrans.cli.train.view import TrainView
    from streamtrans.training.run import run_training

    with TrainView(settings.optimiser.steps, plain, quiet=as_json) as view:
        outcome = run_training(settings, run, _print_json if as_json else view.row, view.start)
    if outcome.interrupted:
        view.say(f"stopped after step {outcome.step} and saved in {run / 'last'}; the same command goes on from there")
        raise typer.Exit(130)
    view.say(f"done: streamtrans live --model {run / 'best'}")


def _print_json(row: dict[str, object]) -> None:
    print(json.dumps(row), flush=True)
