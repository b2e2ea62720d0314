"""Where the commands print: lines or one line of JSON to stdout, progress to a terminal.

    with output(as_json=as_json) as out:
        with out.starting(): from fl.experiment.training import Training    imports TensorFlow
        out.say(line)                                     nowhere with --json, or --quiet
        out.result = {...}                                printed in the end, with --json

It imports no TensorFlow before `starting`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Annotated, TypeAlias

import typer
from rich.console import Console, RenderableType

from fl.cli.tensorflow_start import import_tensorflow
from fl.experiment.metrics import as_json_has_it
from fl.progress.bars import Bars, Counter
from secagg.cli.command import ENDING

_STDOUT, _STDERR = 1, 2

AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print the result as one line of JSON, and nothing else."),
]
Json: TypeAlias = "Mapping[str, object] | Sequence[object] | str | float | None"


class Output:
    """What one command prints.

    progress: the console for bars and spinners: the terminal that the lines go to, for JSON that of
        stderr, and none where there is no terminal.
    result: what is printed as JSON.
    """

    def __init__(self, *, as_json: bool, silent: bool) -> None:
        self.result: Json = None
        self._lines = Console(quiet=as_json or silent)
        beside = Console(stderr=True) if as_json else self._lines
        shown = beside.is_terminal and not silent
        self.progress = beside if shown else Console(quiet=True)

    @property
    def room(self) -> int | None:
        """Characters of a line; None where lines go to a pipe or a file, and COLUMNS is not set."""
        limited = self._lines.is_terminal or "COLUMNS" in os.environ
        return self._lines.width if limited else None

    def say(self, *lines: RenderableType, style: str | None = None) -> None:
        """Print lines, at once. Those of text are as long as they are."""
        self._lines.print(
            *lines, sep="\n", style=style, highlight=False, markup=False, soft_wrap=True
        )

    def show(self, picture: RenderableType) -> None:
        """Print a table or the like, as wide as there is room."""
        self._lines.print(picture)

    @contextmanager
    def bars(self) -> Iterator[Bars]:
        """Bars under the lines, gone when the block is left, and on Ctrl-C."""
        bars = Bars(self.progress)
        ENDING.tidy.append(bars.progress.stop)
        with bars.progress:
            yield bars

    @contextmanager
    def counting(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """A bar, and the function that moves it: (done, of how many)."""
        bars = Counter(what, self.progress)
        ENDING.tidy.append(bars.progress.stop)
        with bars.progress:
            yield bars.count

    @contextmanager
    def starting(self, workers: int | None = None) -> Iterator[None]:
        """A spinner while TensorFlow is imported, and in the block what imports it.

        workers: as for `import_tensorflow`.
        """
        with self.progress.status("starting TensorFlow"):
            import_tensorflow(workers)
            yield


@contextmanager
def output(*, as_json: bool = False, silent: bool = False) -> Iterator[Output]:
    """What one command prints; with as_json, one line on stdout at the end and nothing else."""
    out = Output(as_json=as_json, silent=silent)
    if not as_json:
        yield out
        return
    with _stdout_to_stderr():
        yield out
    print(json.dumps(as_json_has_it(out.result)), flush=True)


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """What libraries print to stdout goes to stderr, be it Python that prints or not."""
    sys.stdout.flush()
    saved = os.dup(_STDOUT)
    try:
        os.dup2(_STDERR, _STDOUT)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(saved, _STDOUT)
        os.close(saved)
