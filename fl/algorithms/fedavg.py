"""Federated averaging (McMahan et al. 2017).

    Δᵤ = local training of client u - weights;   weights <- server optimizer(weights, Σ wᵤΔᵤ / Σ wᵤ)

The sum is `SecureSum` unless another aggregator is given. The rounds themselves are in `process`.
"""

from __future__ import annotations

from fl import tff
from fl.aggregators.interface import Aggregator
from fl.algorithms.building import ADD_THE_MEAN, build_process
from fl.model.keras_models import InputSpec, ModelFn, OptimizerFn
from fl.model.layout import NonTrainable
from fl.process.federated_process import FederatedProcess
from fl.process.training_server import LearningRate


@tff.refuses_tff_arguments
def build_weighted_fed_avg(
    model_fn: ModelFn,
    client_optimizer_fn: OptimizerFn | None = None,
    server_optimizer_fn: OptimizerFn = ADD_THE_MEAN,
    *,
    aggregator: Aggregator | None = None,
    batch_size: int = 32,
    epochs: int = 1,
    shuffle: bool = True,
    seed: int = 0,
    input_spec: InputSpec = None,
    non_trainable: NonTrainable = "average",
    client_learning_rate: LearningRate | None = None,
    workers: int = 1,
) -> FederatedProcess:
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
    workers: how many clients are trained at a time, in threads; `model_fn` and the client optimizer
        function are called once for each. The weights are the same bit for bit.

    Raises ModelError for a model or an optimizer that cannot be used, and for several workers whose
    models are not alike or share a variable, such as that of a layer or a metric which `model_fn`
    does not make itself. Of metrics this is known in the first rounds only.

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
        workers=workers,
    )


@tff.refuses_tff_arguments
def build_unweighted_fed_avg(
    model_fn: ModelFn,
    client_optimizer_fn: OptimizerFn | None = None,
    server_optimizer_fn: OptimizerFn = ADD_THE_MEAN,
    *,
    aggregator: Aggregator | None = None,
    batch_size: int = 32,
    epochs: int = 1,
    shuffle: bool = True,
    seed: int = 0,
    input_spec: InputSpec = None,
    non_trainable: NonTrainable = "average",
    client_learning_rate: LearningRate | None = None,
    workers: int = 1,
) -> FederatedProcess:
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
        workers=workers,
    )
