"""The `fl` command.

    fl demo [--rounds 20] [--clients 10] [--dropouts 2] [--seed 0] [--json]
    fl train --dataset mnist --data-dir DIR --partition writer --model mlp --rounds 50 --run-dir RUN
    fl evaluate --model RUN/model.keras --dataset mnist --data-dir DIR
    fl report RUN OTHER_RUN --output page.html
    fl leak [--dataset mnist --data-dir DIR] [--output picture.png]
    fl federation init DIR --clients 5 --threshold 4

TensorFlow is imported only when training starts, so help is quick, and a wrong name is refused at
once. How errors are said, and the exit codes, are in `secagg.cli.command`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from fl.cli.demo import demo
from fl.cli.evaluate import evaluate
from fl.cli.federation import init
from fl.cli.leak import leak
from fl.cli.report import report
from fl.cli.train import train
from fl.errors import (
    CheckpointError,
    FLError,
    ImplausibleSum,
    LocalProtocolError,
    RunFailed,
    SecAggError,
)
from fl.progress.watch import unwatched
from secagg.cli import command, group
from secagg.cli.options import from_fields

# The protocol's warnings are in the rows and in the errors.
logging.getLogger("secagg").addHandler(logging.NullHandler())

app = group.application("fl", "Federated averaging of Keras models over secure aggregation.")
for function in (demo, train, evaluate, report, leak):
    app.command()(from_fields(function))
federation = group.subgroup("The files of a federation across machines (docs/flower.md).")
federation.command()(from_fields(init))
app.add_typer(federation, name="federation")


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
