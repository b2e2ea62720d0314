"""What the builders of all algorithms share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypedDict, Unpack

from keras.optimizers import SGD, Optimizer

from fl.aggregators.interface import Aggregator
from fl.aggregators.secure import chosen_sum
from fl.client.compiled_loop import BatchLoop
from fl.client.local_training import NO_RATE, LocalTrainer
from fl.client.trainer_pool import TrainerPool
from fl.client.workers import check_workers
from fl.errors import ModelError
from fl.model.keras_models import (
    InputSpec,
    ModelFn,
    OptimizerFn,
    client_model,
    evaluation_model,
)
from fl.model.layout import NonTrainable
from fl.plan import Terms
from fl.process.federated_process import FederatedProcess
from fl.process.server_optimizer import ServerOptimizer
from fl.process.training_server import LearningRate

ADD_THE_MEAN: OptimizerFn = partial(SGD, 1.0)
"""The server optimizer of federated averaging: the weights move by the mean delta."""


class Options(TypedDict, total=False):
    """The keyword arguments of every builder, described at `build_weighted_fed_avg`."""

    aggregator: Aggregator | None
    batch_size: int
    epochs: int
    shuffle: bool
    seed: int
    input_spec: InputSpec
    non_trainable: NonTrainable
    client_learning_rate: LearningRate | None
    workers: int


def build_process(
    model_fn: ModelFn,
    client_optimizer_fn: OptimizerFn | None,
    server_optimizer_fn: OptimizerFn,
    *,
    weighted: bool,
    adapt: Callable[[Optimizer], Optimizer] | None = None,
    loop: type[BatchLoop] = BatchLoop,
    **options: Unpack[Options],
) -> FederatedProcess:
    """What the builders of all algorithms share, each of which differs in the local training.

    adapt: the client's optimizer -> the one to train with. loop: the compiled function.

    Raises TypeError for an option of another name, as Python does where the builder lists them.
    """
    for name in options:
        if name not in Options.__annotations__:
            raise TypeError(f"unexpected argument {name!r}: {', '.join(Options.__annotations__)}")
    rate = options.get("client_learning_rate")
    if rate is not None and not callable(rate):
        raise ModelError(
            f"client_learning_rate is {rate!r}, expected a function of the round's number, such as "
            f"lambda round: {rate!r}; a rate that stays is the client optimizer's own"
        )
    workers = check_workers(options.get("workers", 1))
    aggregator = chosen_sum(options.get("aggregator"))
    input_spec, statistics = options.get("input_spec"), options.get("non_trainable", "average")

    def trainer() -> LocalTrainer:
        model, optimizer = client_model(model_fn, client_optimizer_fn, input_spec)
        return LocalTrainer(
            model, optimizer if adapt is None else adapt(optimizer), statistics, loop
        )

    first, *others = (trainer() for _ in range(workers))
    if rate is not None and not first.has_learning_rate:
        raise ModelError(f"client_learning_rate with {NO_RATE}")
    return FederatedProcess(
        TrainerPool([first, *others]) if others else first,
        ServerOptimizer(server_optimizer_fn, first.model),
        aggregator,
        _terms(first.optimizer, weighted, options),
        partial(evaluation_model, model_fn, input_spec),
        rate,
    )


def _terms(optimizer: str, weighted: bool, options: Options) -> Terms:
    """The terms of training; their round is the state's."""
    return Terms(
        round=0,
        seed=options.get("seed", 0),
        batch_size=options.get("batch_size", 32),
        epochs=options.get("epochs", 1),
        shuffle=options.get("shuffle", True),
        weighted=weighted,
        optimizer=optimizer,
    )
