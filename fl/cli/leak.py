"""`fl leak`: what a server without masks would have of a client, and what a sum still tells."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fl.cli.output import AsJson, output
from fl.errors import DataError, ReportError
from fl.experiment.options import DATA, DataDir, Seed, option

if TYPE_CHECKING:
    from fl.leak.study import Plan


GREY = ("digits", "mnist", "fashion_mnist", "kmnist")


def check_dataset(name: str) -> str:
    """The name. Raises DataError unless it is one of GREY."""
    if name not in GREY:
        raise DataError(f"data set {name!r}, expected {', '.join(GREY)}")
    return name


@dataclass(frozen=True, kw_only=True)
class Leaking:
    """Its fields are the options of `fl leak`."""

    dataset: Annotated[
        str,
        option(
            DATA,
            f"The data set, of grey pictures: {', '.join(GREY)}.",
            choices=GREY,
            check=check_dataset,
        ),
    ] = GREY[0]
    data_dir: DataDir = None
    pictures: Annotated[
        int, typer.Option(min=1, help="How many pictures a client has; one is the worst case.")
    ] = 1
    local_steps: Annotated[
        int, typer.Option(min=2, help="The local steps that are held against a single one.")
    ] = 5
    trials: Annotated[
        int, typer.Option(min=1, help="How many clients are attacked; the medians are printed.")
    ] = 3
    seed: Seed = 0

    def plan(self) -> Plan:
        """What is to be done."""
        from fl.leak.study import Plan

        steps = (1, self.local_steps)
        return Plan(steps=steps, pictures=self.pictures, trials=self.trials, seed=self.seed)


SUFFIXES = (".png", ".svg", ".pdf")


def check_output(path: Path | None) -> Path | None:
    """The path. Raises ReportError where no picture can be drawn, or not there."""
    if path is None:
        return None
    if find_spec("matplotlib") is None:
        raise ReportError("a picture needs matplotlib: pip install 'secagg[report]'")
    if path.suffix not in SUFFIXES:
        raise ReportError(f"--output {path}, expected a name that ends in {', '.join(SUFFIXES)}")
    if path.is_dir() or not path.parent.is_dir():
        raise ReportError(f"--output {path} is a folder or in none, expected a file to write")
    return path


def leak(
    leaking: Leaking,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--output",
            callback=check_output,
            help="Draw the first trial into this file: .png, .svg or .pdf.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rebuild clients' pictures from plain updates, from masked ones, and from sums."""
    with output(as_json=as_json) as out:
        with out.starting():
            from fl.cli import leak_render as render
            from fl.leak import study
            from fl.leak.picture import draw

        plan, images = leaking.plan(), study.Images.of(leaking.dataset, leaking.data_dir)
        with out.counting("attacks") as count:
            attempts = list(study.attempts(plan, images, count))
        guesses = study.blind(plan, images), study.blind(plan, images, max(plan.sums))
        out.show(render.table(plan, attempts, guesses))
        out.result = render.as_json(plan, attempts, guesses)
        if picture is not None:
            draw(plan, images, attempts, picture)
            out.say(f"wrote {picture}")
