"""Federated averaging (McMahan et al. 2017), and what it shares with the builders of its kin.

    Δᵤ = local training of client u - weights;   weights <- server optimizer(weights, Σ wᵤΔᵤ / Σ wᵤ)

The sum is `SecureSum` unless another aggregator is given. The rounds themselves are in `process`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypedDict, Unpack

import keras

from fl import tff
from fl.aggregators.contribution import Aggregator
from fl.aggregators.secure import chosen_sum
from fl.client.compiled_loop import BatchLoop
from fl.client.local_training import NO_RATE, LocalTrainer
from fl.errors import ModelError
from fl.model.keras_models import ModelFn, OptimizerFn, client_model, evaluation_model
from fl.model.layout import NonTrainable
from fl.plan import Terms
from fl.process.federated_process import FedAvg, LearningRate
from fl.process.server_optimizer import ServerOptimizer

__all__ = [
    "FedAvg",
    "Options",
    "build_process",
    "build_unweighted_fed_avg",
    "build_weighted_fed_avg",
    "server_sgd",
]


def server_sgd() -> keras.optimizers.Optimizer:
    """The default server optimizer: add the mean delta to the weights."""
    return keras.optimizers.SGD(1.0)


@tff.refuses_tff_arguments
def build_weighted_fed_avg(
    model_fn: ModelFn,
    client_optimizer_fn: OptimizerFn | None = None,
    server_optimizer_fn: OptimizerFn = server_sgd,
    *,
    aggregator: Aggregator | None = None,
    batch_size: int = 32,
    epochs: int = 1,
    shuffle: bool = True,
    seed: int = 0,
    input_spec: Any = None,
    non_trainable: NonTrainable = "average",
    client_learning_rate: LearningRate | None = None,
) -> FedAvg:
    """Federated averaging in which a client counts by its number of examples.

    model_fn: returns a built, compiled `keras.Model`; its loss and metrics are the client's.
    client_optimizer_fn, server_optimizer_fn: return a new Keras optimizer. Without the first, the
        optimizer that the model was compiled with is the client's.
    aggregator: None is `SecureSum()`.
    batch_size, epochs, shuffle: for clients that hold arrays; data sets and lists of batches are
        taken once and as they are.
    seed: shuffling, dropout layers and quantisation rounding follow from it; no key does.
    input_spec: (x, y) in `tf.TensorSpec`s, for a model that is not built.
    non_trainable: "average" statistics such as those of batch normalization, or keep them "local":
        each client begins with the state's and sends none back.
    client_learning_rate: round (from 0) -> the client optimizer's learning rate in that round; a
        Keras schedule is such a function.

    Raises ModelError for a model or an optimizer that cannot be used.

    >>> process = fl.build_weighted_fed_avg(model_fn, batch_size=10, epochs=2)
    >>> state, metrics = process.next(process.initialize(), clients)
    >>> metrics["client_work"]["train"]["num_examples"]
    140
    """
    return build_process(
        model_fn,
        client_optimizer_fn,
        server_optimizer_fn,
        weighted=True,
        aggregator=aggregator,
        batch_size=batch_size,
        epochs=epochs,
        shuffle=shuffle,
        seed=seed,
        input_spec=input_spec,
        non_trainable=non_trainable,
        client_learning_rate=client_learning_rate,
    )


@tff.refuses_tff_arguments
def build_unweighted_fed_avg(
    model_fn: ModelFn,
    client_optimizer_fn: OptimizerFn | None = None,
    server_optimizer_fn: OptimizerFn = server_sgd,
    *,
    aggregator: Aggregator | None = None,
    batch_size: int = 32,
    epochs: int = 1,
    shuffle: bool = True,
    seed: int = 0,
    input_spec: Any = None,
    non_trainable: NonTrainable = "average",
    client_learning_rate: LearningRate | None = None,
) -> FedAvg:
    """Federated averaging in which every client counts the same, however many examples it has.

    Arguments and errors are those of `build_weighted_fed_avg`.

    >>> process = fl.build_unweighted_fed_avg(model_fn, batch_size=10)
    >>> state, metrics = process.next(process.initialize(), clients)
    >>> metrics["client_work"]["train"]["num_examples"]
    140
    """
    return build_process(
        model_fn,
        client_optimizer_fn,
        server_optimizer_fn,
        weighted=False,
        aggregator=aggregator,
        batch_size=batch_size,
        epochs=epochs,
        shuffle=shuffle,
        seed=seed,
        input_spec=input_spec,
        non_trainable=non_trainable,
        client_learning_rate=client_learning_rate,
    )


class Options(TypedDict, total=False):
    """The keyword arguments of every builder, described at `build_weighted_fed_avg`."""

    aggregator: Aggregator | None
    batch_size: int
    epochs: int
    shuffle: bool
    seed: int
    input_spec: Any
    non_trainable: NonTrainable
    client_learning_rate: LearningRate | None


def build_process(
    model_fn: ModelFn,
    client_optimizer_fn: OptimizerFn | None,
    server_optimizer_fn: OptimizerFn,
    *,
    weighted: bool,
    adapt: Callable[[Any], Any] | None = None,
    loop: type[BatchLoop] = BatchLoop,
    **options: Unpack[Options],
) -> FedAvg:
    """What the builders of all algorithms share, each of which differs in the local training.

    adapt: the client's optimizer -> the one to train with. loop: the compiled function.

    Raises TypeError for an option of another name, as Python does where the builder lists them.
    """
    for name in options:
        if name not in Options.__annotations__:
            raise TypeError(f"unexpected argument {name!r}: {', '.join(Options.__annotations__)}")
    input_spec, rate = options.get("input_spec"), options.get("client_learning_rate")
    if rate is not None and not callable(rate):
        raise ModelError(
            f"client_learning_rate is {rate!r}: a function of the round's number expected, such as "
            f"lambda round: {rate!r}; a rate that stays is the client optimizer's own"
        )
    aggregator = chosen_sum(options.get("aggregator"))
    model, client_optimizer = client_model(model_fn, client_optimizer_fn, input_spec)
    if adapt is not None:
        client_optimizer = adapt(client_optimizer)
    statistics = options.get("non_trainable", "average")
    trainer = LocalTrainer(model, client_optimizer, statistics, loop)
    if rate is not None and not trainer.has_learning_rate:
        raise ModelError(f"client_learning_rate with {NO_RATE}")
    server = ServerOptimizer(server_optimizer_fn, model)
    terms = Terms(
        round=0,
        seed=options.get("seed", 0),
        batch_size=options.get("batch_size", 32),
        epochs=options.get("epochs", 1),
        shuffle=options.get("shuffle", True),
        weighted=weighted,
        optimizer=trainer.optimizer,
    )
    return FedAvg(
        trainer,
        server,
        aggregator,
        terms,
        partial(evaluation_model, model_fn, input_spec),
        rate,
    )
