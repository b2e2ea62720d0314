"""The settings of a training and of an evaluation: frozen records, whose fields are options.

    Settings      what the weights of a training follow from; a run directory remembers it. What
                  clients do is in `round_settings`, how it is summed in `sum_settings`
    RunOptions    how the training is run, on which no weight depends
    Evaluation    what an evaluation follows from

Each setting stands here once: `secagg.cli.options` turns the fields into options of the commands.
It imports no TensorFlow, so that a wrong name is refused at once; what is made of the settings is
in `assembly`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from fl.client.workers import check_workers
from fl.data.federated import DEFAULT_RULE, check_rule
from fl.errors import FLError
from fl.experiment import names
from fl.experiment.options import (
    DATA,
    HOW_MANY_CLIENTS,
    RUN,
    DataDir,
    DataSet,
    Seed,
    Sum,
    option,
)
from fl.experiment.round_settings import SAMPLINGS
from fl.experiment.sum_settings import MECHANISMS, SumSettings, check_contradictions
from fl.population.devices import check_conditions

Setting = str | int | float | bool | list[str] | None
"""One setting, as JSON has it."""


@dataclass(frozen=True, kw_only=True)
class Settings(SumSettings):
    """What the weights follow from. Raises FLError for a partition, a condition, a way of sampling
    or a mechanism that is not, and for settings that contradict each other."""

    rounds: Annotated[
        int, option(RUN, "How many rounds the run has in all, those before included.", min=1)
    ] = 20
    seed: Seed = 0

    def __post_init__(self) -> None:
        check_rule(self.partition or DEFAULT_RULE, self.dataset)
        check_conditions(self.conditions)
        _check_named("sampling", self.sampling, SAMPLINGS)
        _check_named("dp_mechanism", self.dp_mechanism, MECHANISMS)
        check_contradictions(self)

    def as_json(self) -> dict[str, Setting]:
        """What a run directory remembers, besides digests of the data.

        Not where the data are, for they may be moved, nor how many rounds there are, for the run
        may go on with more.
        """
        settings = asdict(self)
        del settings["data_dir"], settings["rounds"]
        return settings


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a training is run: no weight depends on it."""

    run_dir: Annotated[
        Path | None,
        option(RUN, "The directory for the results; by default one under runs/ per settings."),
    ] = None
    workers: Annotated[
        int,
        option(
            RUN,
            "How many clients are trained, and then masked, at a time.",
            check=check_workers,
        ),
    ] = 1
    checkpoint_every: Annotated[
        int, option(RUN, "How many rounds are from one checkpoint to the next.", min=1)
    ] = 1
    keep: Annotated[int, option(RUN, "How many checkpoints are kept.", min=1)] = 3
    evaluate_every: Annotated[
        int, option(RUN, "How many rounds are from one evaluation to the next.", min=1)
    ] = 1
    report: Annotated[
        bool,
        option(
            RUN,
            "Write report.html into the run directory, with what the server saw of a client.",
            "--report",
        ),
    ] = False


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What an evaluation of a saved model follows from."""

    model: Annotated[
        Path,
        option(DATA, "The model: a .keras file, such as RUN/model.keras.", check=names.check_file),
    ]
    dataset: DataSet = Settings.dataset
    data_dir: DataDir = None
    clients: Annotated[int | None, option(DATA, HOW_MANY_CLIENTS, min=1)] = None
    aggregator: Sum = Settings.aggregator
    seed: Seed = Settings.seed


def _check_named(setting: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise FLError(f"{setting} {name!r}, expected one of {', '.join(known)}")
