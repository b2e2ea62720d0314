"""FedProx (Li et al. 2020): local training that is drawn back to the weights it began with.

    gradient of client u  <-  ∇Fᵤ(w) + μ·(w - w⁰)        w⁰ the weights of the round, μ the strength

A wrapper around the client's optimizer adds the term, so that the model's own `train_step` and the
one compiled function stay as they are; the loss that is reported is the model's, without the term.
With μ = 0 it is federated averaging.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import keras

from fl import tff
from fl.algorithms.building import ADD_THE_MEAN, Options, build_process
from fl.errors import ModelError
from fl.model.keras_models import ModelFn, OptimizerFn
from fl.process.federated_process import FederatedProcess

if TYPE_CHECKING:
    import tensorflow as tf


@tff.refuses_tff_arguments
def build_weighted_fed_prox(
    model_fn: ModelFn,
    proximal_strength: float,
    client_optimizer_fn: OptimizerFn | None = None,
    server_optimizer_fn: OptimizerFn = ADD_THE_MEAN,
    **options: Unpack[Options],
) -> FederatedProcess:
    """FedProx in which a client counts by its number of examples.

    proximal_strength: μ, a finite number of at least 0. The other arguments and errors are those
    of `fl.build_weighted_fed_avg`; ModelError also for another strength.

    >>> process = fl.build_weighted_fed_prox(model_fn, proximal_strength=0.1)
    >>> state, metrics = process.next(process.initialize(), clients)
    >>> metrics["client_work"]["train"]["num_examples"]
    140
    """
    adapt = partial(drawn_back, strength=proximal_strength)
    return build_process(
        model_fn, client_optimizer_fn, server_optimizer_fn, weighted=True, adapt=adapt, **options
    )


@tff.refuses_tff_arguments
def build_unweighted_fed_prox(
    model_fn: ModelFn,
    proximal_strength: float,
    client_optimizer_fn: OptimizerFn | None = None,
    server_optimizer_fn: OptimizerFn = ADD_THE_MEAN,
    **options: Unpack[Options],
) -> FederatedProcess:
    """FedProx in which every client counts the same: as `build_weighted_fed_prox` otherwise.

    >>> process = fl.build_unweighted_fed_prox(model_fn, proximal_strength=0.1)
    >>> state, metrics = process.next(process.initialize(), clients)
    >>> metrics["client_work"]["train"]["num_examples"]
    140
    """
    adapt = partial(drawn_back, strength=proximal_strength)
    return build_process(
        model_fn, client_optimizer_fn, server_optimizer_fn, weighted=False, adapt=adapt, **options
    )


@keras.saving.register_keras_serializable(package="fl")
class Proximal(keras.optimizers.Optimizer):  # type: ignore[misc]
    """Adds strength·(w - w⁰) to every gradient that it hands to `inner_optimizer`.

    w⁰ is where the variables stood at the last `begin_pass`.
    """

    def __init__(
        self, inner_optimizer: keras.optimizers.Optimizer, strength: float, name: str | None = None
    ) -> None:
        super().__init__(learning_rate=0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.strength = strength

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create w⁰, and what the inner optimizer needs."""
        if self.built:
            return
        super().build(variables)
        self.inner_optimizer.build(variables)
        self._start = self.add_optimizer_variables(variables, "start")

    def begin_pass(self) -> None:
        """Take w⁰ from the variables as they stand."""
        for start, variable in zip(self._start, self._trainable_variables, strict=True):
            start.assign(variable)

    def apply(
        self,
        grads: Sequence[tf.Tensor | None],
        trainable_variables: Sequence[keras.Variable] | None = None,
    ) -> None:
        """One step of the inner optimizer on the gradients and the term."""
        variables = list(trainable_variables or self._trainable_variables)
        terms = [
            # No gradient: the loss does not depend on this variable, so it never leaves w⁰.
            None if grad is None else grad + self._draw(variable)
            for grad, variable in zip(grads, variables, strict=True)
        ]
        self.inner_optimizer.apply(terms, variables)

    def _draw(self, variable: keras.Variable) -> tf.Tensor:
        start = self._start[self._get_variable_index(variable)]
        return keras.ops.cast(self.strength, variable.dtype) * (variable - start)

    @property
    def variables(self) -> list[keras.Variable]:
        """Its own and the inner optimizer's."""
        return [*self._variables, *self.inner_optimizer.variables]

    @property
    def learning_rate(self) -> keras.Variable:
        """The inner optimizer's."""
        return self.inner_optimizer.learning_rate

    @property
    def iterations(self) -> keras.Variable:
        """The inner optimizer's."""
        return self.inner_optimizer.iterations

    def get_config(self) -> dict[str, Any]:
        """What the round's plan says of it."""
        inner = keras.saving.serialize_keras_object(self.inner_optimizer)
        return {"inner_optimizer": inner, "strength": self.strength}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Proximal:
        """The optimizer of a configuration."""
        inner = keras.saving.deserialize_keras_object(config["inner_optimizer"], custom_objects)
        return cls(inner, config["strength"])


def drawn_back(
    optimizer: keras.optimizers.Optimizer, strength: float
) -> keras.optimizers.Optimizer:
    """A client's optimizer, with the proximal term. Raises ModelError."""
    if not 0 <= strength < math.inf:
        raise ModelError(
            f"proximal_strength is {strength!r}, expected a finite number of at least 0"
        )
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        # Inside: there the gradients have been scaled back, and the term is of their size.
        return keras.optimizers.LossScaleOptimizer(
            drawn_back(optimizer.inner_optimizer, strength),
            initial_scale=optimizer.initial_scale,
            dynamic_growth_steps=optimizer.dynamic_growth_steps,
        )
    if optimizer.loss_scale_factor is not None:
        raise ModelError("a client optimizer with loss_scale_factor, expected one without")
    return Proximal(optimizer, float(strength))
