"""FedSGD (McMahan et al. 2017): one step of the server on the gradient of all clients' examples.

    gᵤ = mean gradient over client u's examples at the round's weights
    weights <- server optimizer(weights, gradient = Σ nᵤ·gᵤ / Σ nᵤ)

With plain SGD on the server this is gradient descent on the union of the data. A client takes its
gradient in batches, because of memory only: it adds them up, its weights do not move meanwhile,
and it has no optimizer. It sends -gᵤ as its delta. The loss has to be a mean over examples, and is
refused otherwise. Batch normalization sees batches, not examples: with it their size matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fl import tff
from fl.aggregators.interface import Aggregator
from fl.aggregators.secure import SecureSum, chosen_sum
from fl.algorithms.building import build_process
from fl.algorithms.mean_loss import check_loss, check_loss_on
from fl.client.compiled_loop import BatchLoop, Tensors
from fl.client.examples import Examples, Indices
from fl.model.keras_models import InputSpec, ModelFn, OptimizerFn
from fl.model.layout import NonTrainable
from fl.model.optimizers import wrapped
from fl.model.vector import Vector
from fl.process.federated_process import FederatedProcess

ONE_STEP: OptimizerFn = partial(keras.optimizers.SGD, 0.1)
"""The default server optimizer: one step of gradient descent."""


@tff.refuses_tff_arguments
def build_fed_sgd(
    model_fn: ModelFn,
    server_optimizer_fn: OptimizerFn = ONE_STEP,
    *,
    aggregator: Aggregator | None = None,
    batch_size: int = 512,
    seed: int = 0,
    input_spec: InputSpec = None,
    non_trainable: NonTrainable = "average",
    workers: int = 1,
) -> FederatedProcess:
    """Federated SGD; a client counts by its number of examples.

    model_fn: returns a built, compiled `keras.Model` whose loss is a mean over the examples of a
        batch (Keras's default), with no mask. An optimizer that it was compiled with is not used.
    server_optimizer_fn: returns a new Keras optimizer; it is given the mean gradient.
    aggregator: None is `SecureSum(clip=None)`: a gradient has no range that could be known before.
        It costs about ten times the bytes of one with a `clip` and 32 bits.
    batch_size: how many examples are taken at once, for clients that hold arrays; up to rounding
        it changes nothing, unless layers look at the whole batch, as batch normalization does.

    Raises ModelError for a loss that is no mean over examples: when it is built where the reduction
    or the mask of a functional model tells, else in the first round.

    Other arguments and errors are those of `fl.build_weighted_fed_avg`.

    >>> process = fl.build_fed_sgd(model_fn, lambda: keras.optimizers.SGD(0.5))
    >>> state, metrics = process.next(process.initialize(), clients)
    >>> metrics["client_work"]["train"]["num_examples"]
    140
    """
    return build_process(
        model_fn,
        GradientSum,
        server_optimizer_fn,
        weighted=True,
        loop=GradientLoop,
        aggregator=chosen_sum(aggregator, SecureSum(clip=None)),
        batch_size=batch_size,
        shuffle=False,
        seed=seed,
        input_spec=input_spec,
        non_trainable=non_trainable,
        workers=workers,
    )


@keras.saving.register_keras_serializable(package="fl")
class GradientSum(keras.optimizers.Optimizer):  # type: ignore[misc]
    """In place of a client optimizer: moves nothing, adds up rows·gradient and rows.

    `rows`, the number of examples of the next gradient, is assigned before each step.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(learning_rate=0.0, name=name)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the sums."""
        if self.built:
            return
        super().build(variables)
        self.sums = self.add_optimizer_variables(variables, "sum")
        self.rows = self.add_variable((), initializer="zeros", name="rows")
        self.seen = self.add_variable((), initializer="zeros", name="seen")

    def apply(
        self,
        grads: Sequence[tf.Tensor | None],
        trainable_variables: Sequence[keras.Variable] | None = None,
    ) -> None:
        """Add the gradients of `rows` examples."""
        self.seen.assign_add(self.rows)
        variables = trainable_variables or self._trainable_variables
        for variable, grad in zip(variables, grads, strict=True):
            total = self.sums[self._get_variable_index(variable)]
            if grad is not None:  # the loss does not depend on this weight: its gradient is zero
                total.assign_add(keras.ops.cast(self.rows, total.dtype) * grad)

    def mean(self) -> list[tf.Tensor]:
        """The mean gradients over all rows, one a variable."""
        return [total / keras.ops.cast(self.seen, total.dtype) for total in self.sums]

    def get_config(self) -> dict[str, Any]:
        """What the round's plan says of it: there is nothing to set."""
        return {}


class GradientLoop(BatchLoop):
    """A pass that gives minus the mean gradient, and the statistics."""

    def __init__(self, model: keras.Model, *rest: Any) -> None:
        check_loss(model)
        super().__init__(model, *rest)

    def _try(self, weights: Vector, words: Indices, examples: Examples, *which: Any) -> bool:
        tried = super()._try(weights, words, examples, *which)
        return check_loss_on(self._model, examples) and tried

    def _step_on(self, batch: Tensors) -> None:
        rows = tf.shape(keras.tree.flatten(batch)[0])[0]
        self._gradients.rows.assign(tf.cast(rows, tf.float32))
        super()._step_on(batch)

    def _update(self, weights: tf.Tensor, skipped: tf.Tensor) -> tf.Tensor:
        update = super()._update(weights, skipped)  # zero for trainable weights, which come first
        means = self._gradients.mean()
        gradient = tf.concat([tf.reshape(tf.cast(g, tf.float32), [-1]) for g in means], 0)
        # A batch left out would be missing in the mean: then there is no gradient.
        gradient = tf.where(skipped > 0, np.nan, gradient)
        return tf.concat([-gradient, update[tf.size(gradient) :]], 0)

    @property
    def _gradients(self) -> Any:
        """The sums; a loss scale of mixed precision may stand around them."""
        *_, sums = wrapped(self._optimizer.optimizer)
        return sums
