"""Settings of what is trained on, and of what clients and server do in a round.

Each is a field of `fl.experiment.settings.Settings`, which has the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fl.data.federated import PARTITIONS
from fl.experiment import names, registry
from fl.experiment.options import (
    DATA,
    HOW_MANY_CLIENTS,
    ROUND,
    DataDir,
    DataSet,
    above_zero,
    option,
)
from fl.population.devices import CONDITIONS

SAMPLINGS = ("uniform", "in-turn", "poisson")


@dataclass(frozen=True, kw_only=True)
class RoundSettings:
    """Data, model, algorithm, and who takes part."""

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
    sampling: Annotated[
        str,
        option(
            ROUND,
            "Who is asked: uniform, so many of all; in-turn, nobody twice in a pass through all; "
            "poisson, each with the same probability.",
            choices=SAMPLINGS,
        ),
    ] = "uniform"
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
