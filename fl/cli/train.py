"""`fl train`: a training, its bars, and the lines it says to people.

    fl train --dataset mnist --data-dir DIR --partition writer --model mlp --rounds 50 --run-dir RUN

Its options are the fields of `fl.experiment.settings`, and what it does is in
`fl.experiment.training`; nothing of TensorFlow is imported before the options are accepted.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from fl.cli.output import AsJson, Output, output
from fl.cli.training_rows import head, line
from fl.errors import PrivacyError, RunFailed, SumWarning
from fl.experiment.metrics import TrainResult
from fl.experiment.run_files import REPORT
from fl.experiment.settings import RunOptions, Settings
from fl.process.reports import MetricValues
from secagg.cli.command import ENDING
from secagg.simulation.pool import kill, masking_pool

if TYPE_CHECKING:
    from fl.experiment.training import Training
    from fl.progress.bars import Bars

Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but what goes wrong.")]


def train(
    settings: Settings, options: RunOptions, quiet: Quiet = False, as_json: AsJson = False
) -> None:
    """Train a model with federated averaging over the secure sum, in simulation.

    Interrupted at any moment, the same command goes on from the last checkpoint and ends with the
    same weights.
    """
    with output(as_json=as_json, silent=quiet) as out:
        if options.report:
            from fl.report.page import require_libraries

            require_libraries()
        with out.starting(options.workers):
            from fl.experiment import training  # noqa: F401

        with out.bars() as bars, _training(settings, options, bars) as prepared:
            try:
                result = _run(out, prepared, bars.progress)
            except (PrivacyError, RunFailed):  # the page says why no round, or no more, gave a sum
                if options.report and prepared.state.round:
                    _report(out, prepared.directory.path)
                raise
            if options.report:
                result["report"] = _report(out, prepared.directory.path)
            out.result = result


@contextmanager
def _training(settings: Settings, options: RunOptions, bars: Bars) -> Iterator[Training]:
    """The training, with processes for its masks that end with it."""
    from fl.experiment.assembly import Simulation
    from fl.experiment.training import Training

    with masking_pool(options.workers) as pool, warnings.catch_warnings():
        ENDING.tidy.append(lambda: kill(pool))
        warnings.simplefilter("ignore", SumWarning)  # the rows say it
        simulation = Simulation(pool, bars.summed)
        yield Training(settings, options, on_client=bars.trained, simulation=simulation)


def _run(out: Output, training: Training, bars: Progress) -> TrainResult:
    """Train until all rounds are done; what is said of it as JSON."""
    done, rounds = training.state.round, training.settings.rounds
    _announce(out, training)
    try:
        tested = _play(out, bars, training) if done < rounds else None
    except PrivacyError:  # the budget is spent: what was trained with it is worth keeping
        if training.state.round:
            out.say(f"saved {training.save_model()}")
        raise
    failure = training.directory.failure()
    if failure is not None:
        raise RunFailed(f"no round succeeded: {failure}")
    saved = training.save_model()
    if done < rounds:
        out.say(f"saved {saved}")
    return {
        "rounds": training.state.round,
        "new_rounds": training.state.round - done,
        "clients": training.clients,
        "weights": training.parameters,
        "test": tested or training.evaluate(),
        "run_dir": str(training.directory.path),
        "model": str(saved),
    }


def _report(out: Output, run: Path) -> str:
    """Write the page of the run into its directory; its path."""
    from fl.report.page import write_page
    from fl.report.runs import read_run

    page = write_page([read_run(run)], run / REPORT)
    out.say(f"wrote {page}")
    return str(page)


def _announce(out: Output, training: Training) -> None:
    found = training.found
    size = f"{training.clients} clients, {training.parameters} weights"
    out.say(f"{size}, {training.directory.path}")
    if training.amplified:
        out.say("ε is for readers of the model who know neither the seed nor the run directory")
    for name in found.damaged if found else ():
        out.say(f"checkpoint {name} is damaged: the one before it is used")
    if found and found.round >= training.settings.rounds:
        out.say(f"already has {found.round} rounds")
    elif found:
        out.say(f"going on after round {found.round}")


def _play(out: Output, bars: Progress, training: Training) -> MetricValues | None:
    """Train the rounds that are left; what the last of them says of the test examples."""
    out.say(head(out.room), style="bold")
    rounds, done = training.settings.rounds, training.state.round
    task = bars.add_task("rounds", total=rounds, completed=done)
    tested = None
    _say_where(training)
    for metrics in training:
        out.say(line(metrics, out.room))
        bars.update(task, completed=metrics["round"])
        tested = metrics.get("eval")
        _say_where(training)
    return tested


def _say_where(training: Training) -> None:
    ENDING.where = f" after round {training.state.round}: the same command goes on"
