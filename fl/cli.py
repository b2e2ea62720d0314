"""The `fl` command.

    fl demo [--rounds 20] [--clients 10] [--dropouts 2] [--seed 0] [--json]
    fl train --dataset mnist --data-dir DIR --partition writer --model mlp --rounds 50 --run-dir RUN
    fl evaluate --model RUN/model.keras --dataset mnist --data-dir DIR

TensorFlow is imported only when training starts, so help is quick. A user's error is one line on
stderr and exit code 2; Ctrl-C ends with exit code 130.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.live import Live

import secagg
from fl import quiet, render, train_command
from fl.bars import Bars
from fl.errors import FLError
from fl.progress import unwatched
from fl.sums import SecAggError

if TYPE_CHECKING:
    from fl.demo import Row, Settings

app = typer.Typer(
    help="Federated averaging of Keras models over secure aggregation.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

INTERRUPTED = 130
USER_ERROR = 2
_TABLE_LINES = 10
"""Lines of a terminal that are no rows of the live table: its title, head, bars, the prompt."""

# What a wrong command line raises; its module has moved from release to release.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def _show_version(asked: bool) -> None:
    if asked:
        print(f"fl {secagg.__version__}")
        raise typer.Exit


@app.callback()
def _group(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Federated averaging of Keras models over secure aggregation."""


@app.command()
def demo(
    seed: Annotated[int, typer.Option(min=0, help="Data split, weights, drops, shuffling.")] = 0,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of training.")] = 20,
    clients: Annotated[int, typer.Option(min=2, help="Clients of unlike data.")] = 10,
    dropouts: Annotated[
        int, typer.Option(min=0, help="Clients gone each round, from a random protocol round.")
    ] = 2,
    as_json: Annotated[
        bool, typer.Option("--json", help="The last line on stdout is the result as JSON.")
    ] = False,
) -> None:
    """Train on handwritten digits, secure and plain side by side, with clients that drop out."""
    console = Console()
    with console.status("starting TensorFlow"):
        quiet.import_tensorflow()
        from fl.demo import Demo, Settings

        settings = Settings(seed, rounds, clients, dropouts)
        bars = Bars(console)
        demonstration = Demo(settings, bars.trained, bars.summed)
    _play(console, settings, demonstration, bars)
    console.print(render.comparison(demonstration.comparison))
    if as_json:
        print(json.dumps(demonstration.comparison.as_json()))


app.command()(train_command.train)
app.command()(train_command.evaluate)


def _play(console: Console, settings: Settings, rows: Iterable[Row], bars: Bars) -> None:
    """Run all rounds under a live table; whatever happens, the rounds done stay on the screen."""
    done: list[Row] = []
    try:
        with Live(bars.progress, console=console, transient=True) as live:
            for row in rows:
                done.append(row)
                last = max(1, console.height - _TABLE_LINES)
                table = render.rounds(settings, done, last)
                live.update(Group(table, bars.progress), refresh=True)
    finally:
        console.print(render.rounds(settings, done))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code."""
    try:
        with unwatched():
            return int(app(args=list(arguments), prog_name="fl", standalone_mode=False) or 0)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except (FLError, SecAggError, ImportError) as error:
        return _complain(str(error))
    except _UsageError as error:
        return _complain(getattr(error, "format_message", error.__str__)())


def _complain(message: str) -> int:
    if message:  # none where the help itself was the answer
        print(f"fl: {' '.join(message.split())}", file=sys.stderr)
    return USER_ERROR


def main() -> None:
    """The entry point of the `fl` command."""
    sys.exit(run(sys.argv[1:]))
