"""The settings of a training and of an evaluation: frozen records, whose fields are options.

    Settings      what the weights of a training follow from; a run directory remembers it
    RunOptions    how the training is run, on which no weight depends
    Evaluation    what an evaluation follows from

Each setting stands here once: `secagg.cli.options` turns the fields into options of the commands.
It imports no TensorFlow, so that a wrong name is refused at once; what is made of the settings is
in `assembly`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from fl.client.workers import check_workers
from fl.data.federated import DEFAULT_RULE, PARTITIONS, check_rule
from fl.experiment import names, registry
from fl.experiment.options import (
    DATA,
    HOW_MANY_CLIENTS,
    ROUND,
    RUN,
    DataDir,
    DataSet,
    Seed,
    Sum,
    above_zero,
    option,
)
from fl.population.devices import CONDITIONS, check_conditions

Setting = str | int | float | bool | list[str] | None
"""One setting, as JSON has it."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the weights follow from. Raises FLError for a partition or a condition that is not."""

    dataset: DataSet = "digits"
    data_dir: DataDir = None
    partition: Annotated[
        str | None,
        option(
            DATA,
            "How the examples are divided: iid, sequential, dirichlet, shards, or writer (mnist "
            "alone); by default the data set's own clients, or iid.",
            choices=PARTITIONS,
        ),
    ] = None
    clients: Annotated[int | None, option(DATA, HOW_MANY_CLIENTS, min=2)] = None
    alpha: Annotated[
        float,
        option(
            DATA,
            "With dirichlet: the smaller it is, the more unlike are the clients.",
            check=above_zero,
        ),
    ] = 0.5
    shards: Annotated[
        int, option(DATA, "With shards: how many of them each client has.", min=1)
    ] = 2
    model: Annotated[
        str,
        option(
            DATA,
            "The model: softmax, mlp, cnn, lstm (shakespeare alone), or a .keras file.",
            choices=names.NAMES,
            check=names.check_model,
        ),
    ] = "mlp"
    algorithm: Annotated[
        str,
        option(
            ROUND,
            f"The algorithm: {', '.join(registry.ALGORITHMS)}.",
            choices=tuple(registry.ALGORITHMS),
            check=registry.check_name,
        ),
    ] = "fedavg"
    clients_per_round: Annotated[
        int, option(ROUND, "How many clients are summed in a round.", min=2)
    ] = 10
    over_selection: Annotated[
        float,
        option(
            ROUND,
            "How many clients are asked, for each that is summed: 1.3 asks 130 % and takes the "
            "first to be ready.",
            min=1,
        ),
    ] = 1.0
    conditions: Annotated[
        list[str],
        option(
            ROUND,
            "What a client's device must be: charging, unmetered or idle; may be repeated.",
            "--require",
            choices=tuple(CONDITIONS),
        ),
    ] = field(default_factory=list)
    min_examples: Annotated[
        int, option(ROUND, "How many examples a client must have to take part.", min=0)
    ] = 0
    dropout: Annotated[
        float,
        option(ROUND, "The probability with which a client is lost in the protocol.", min=0, max=1),
    ] = 0.0
    client_lr: Annotated[
        float, option(ROUND, "The learning rate of the clients.", check=above_zero)
    ] = 0.1
    server_lr: Annotated[
        float | None,
        option(
            ROUND,
            "The learning rate of the server; by default that of the algorithm.",
            check=above_zero,
        ),
    ] = None
    proximal_strength: Annotated[
        float,
        option(ROUND, "With fedprox: how strongly clients are drawn back, its µ.", min=0),
    ] = 0.01
    batch_size: Annotated[int, option(ROUND, "How many examples a client's step takes.", min=1)] = (
        20
    )
    epochs: Annotated[
        int, option(ROUND, "How many times a client goes through its examples.", min=1)
    ] = 1
    shuffle: Annotated[
        bool, option(ROUND, "Whether clients shuffle their examples in every pass.")
    ] = True
    initial: Annotated[
        str, option(ROUND, "The first weights: random, or zeros (softmax only).")
    ] = "random"
    aggregator: Sum = "secure"
    clip: Annotated[
        float | None,
        option(
            ROUND,
            "The largest coordinate of an update in a secure sum; by default 4, and with fedsgd "
            "any.",
            check=above_zero,
        ),
    ] = None
    max_weight: Annotated[
        int,
        option(
            ROUND,
            "The most examples that a client may have in a secure sum; one with more counts for "
            "nothing.",
            min=1,
        ),
    ] = 16384
    clip_norm: Annotated[
        float | None,
        option(ROUND, "The largest norm of an update; by default any.", check=above_zero),
    ] = None
    clip_quantile: Annotated[
        float | None,
        option(
            ROUND, "Let the largest norm follow this quantile of the clients' norms.", min=0, max=1
        ),
    ] = None
    threshold: Annotated[
        float | None,
        option(
            ROUND,
            "The fraction of the clients that must finish; by default more than two thirds.",
            min=0,
            max=1,
        ),
    ] = None
    rounds: Annotated[
        int, option(RUN, "How many rounds the run has in all, those before included.", min=1)
    ] = 20
    seed: Seed = 0

    def __post_init__(self) -> None:
        check_rule(self.partition or DEFAULT_RULE, self.dataset)
        check_conditions(self.conditions)

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
