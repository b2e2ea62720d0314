"""The `fl` command.

    fl demo [--rounds 20] [--clients 10] [--dropouts 2] [--seed 0] [--json]
    fl train --dataset mnist --data-dir DIR --partition writer --model mlp --rounds 50 --run-dir RUN
    fl evaluate --model RUN/model.keras --dataset mnist --data-dir DIR

TensorFlow is imported only when training starts, so help is quick, and a wrong name is refused at
once. What an error is told as, and the exit codes, are in `secagg.cli.command`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated

import typer

from fl.cli import render, train
from fl.cli.demo_settings import Settings
from fl.cli.screen import screen
from fl.errors import (
    CheckpointError,
    FLError,
    ImplausibleSum,
    LocalProtocolError,
    RunFailed,
    SecAggError,
)
from fl.progress.watch import unwatched
from secagg.cli import command, version

# The protocol's warnings are in the rows and in the errors.
logging.getLogger("secagg").addHandler(logging.NullHandler())

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=command.markup(),
)
version.register(app, "fl", "Federated averaging of Keras models over secure aggregation.")


@app.command()
def demo(
    seed: Annotated[
        int,
        typer.Option(min=0, help="The seed of the split, the weights, the drops, the shuffling."),
    ] = 0,
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds are trained.")] = 20,
    clients: Annotated[
        int, typer.Option(min=2, help="How many clients there are; their data are unlike.")
    ] = 10,
    dropouts: Annotated[
        int,
        typer.Option(
            min=0,
            help="How many clients are lost in each round, in a random round of the protocol.",
        ),
    ] = 2,
    as_json: train.AsJson = False,
) -> None:
    """Train on handwritten digits, secure and plain side by side, with clients that drop out."""
    settings = Settings(seed, rounds, clients, dropouts)
    with screen(as_json=as_json) as shown:
        with shown.starting():
            from fl.cli.demo import Demo

        with shown.bars() as bars:
            demonstration = Demo(settings, bars.trained, bars.summed)
            shown.say(render.head(settings, shown.room))
            for row in demonstration:
                shown.say(render.line(row, shown.room))
        shown.show(render.comparison(demonstration.comparison))
        shown.result = demonstration.comparison.as_json()


app.command()(train.train)
app.command()(train.evaluate)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code."""
    refusals = (FLError, SecAggError, ImportError)
    with unwatched():
        return command.run("fl", app, arguments, refusals, _failed)


def _failed(error: Exception) -> bool:
    """Whether what was given is not to blame."""
    if isinstance(error, CheckpointError) and isinstance(error.__cause__, OSError):
        return not command.is_of_a_path(error.__cause__)
    protocol = isinstance(error, SecAggError) and not isinstance(error, LocalProtocolError)
    return protocol or isinstance(error, RunFailed | ImplausibleSum)
