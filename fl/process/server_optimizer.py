"""The server's half of a round: a Keras optimizer applied to minus the mean delta.

    trainable     <- optimizer(trainable, gradient = -mean)      non-trainable <- mean

SGD(1.0) is thus plain federated averaging. The optimizer is given the model's own variables, so it
finds their names, paths and constraints, and does to them what it would do in `fit`. This module
holds no state between calls: the optimizer's variables travel in `ServerState`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fl import tff
from fl.errors import ModelError
from fl.model.keras_models import OptimizerFn, new_optimizer
from fl.model.step_state import lent
from fl.model.vector import (
    Array,
    ModelWeights,
    aggregated_variables,
    check_shapes,
    counted,
    read_only,
    values,
)


@dataclass(frozen=True, eq=False)
class ServerState(tff.NamesWhatReplaces):
    """Where the training stands, immutable: the weights, the server optimizer's variables as
    read-only arrays, how many rounds are done, and what the aggregator carries on (nothing, for
    one that has no state).

    >>> process = fl.build_weighted_fed_avg(model_fn)
    >>> state = process.initialize()
    >>> state, process.get_model(state).count_params()
    (ServerState(round=0, ...), 15)
    """

    _replacements = tff.STATE

    weights: ModelWeights
    optimizer: tuple[Array, ...]
    round: int
    aggregator: tuple[Array, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "optimizer", read_only(self.optimizer))
        object.__setattr__(self, "aggregator", read_only(self.aggregator))

    def __repr__(self) -> str:
        return (
            f"ServerState(round={self.round}, weights={self.weights!r}, "
            f"optimizer: {counted(self.optimizer)}, aggregator: {counted(self.aggregator)})"
        )


class ServerOptimizer:
    """Applies mean deltas to states.

    optimizer_fn: returns a new Keras optimizer.
    model: a built Keras model, whose trainable variables are lent for each step.

    Raises ModelError for an optimizer, or a weight, that has no meaning on a server.
    """

    def __init__(self, optimizer_fn: OptimizerFn, model: keras.Model) -> None:
        self._like = ModelWeights.from_model(model)
        self._variables, _ = aggregated_variables(model)
        self._optimizer_fn = optimizer_fn
        self._optimizer = self._built()
        self._shapes_like = values(self._optimizer.variables)

    def initialize(self, weights: ModelWeights) -> ServerState:
        """The state before the first round. Raises ModelError for weights of another model."""
        weights = self.arranged(weights)
        with lent(self._variables):
            self._assign(weights)
            # Built anew, for an optimizer may begin with a copy of the weights that it finds.
            return ServerState(weights, values(self._built().variables), 0)

    def apply(self, state: ServerState, mean: NDArray[np.float64]) -> ServerState:
        """The state after one round.

        mean: float64[d], the mean change of trainable weights ‖ new values of all others.
        """
        self.check(state)
        with lent(self._variables):
            return self._applied(state, mean)

    def _applied(self, state: ServerState, mean: NDArray[np.float64]) -> ServerState:
        self._restore(state)
        trainable, floats = state.weights.split(mean)
        gradients = [
            keras.ops.convert_to_tensor(-delta, variable.dtype)
            for delta, variable in zip(trainable, self._variables, strict=True)
        ]
        self._optimizer.apply(gradients, self._variables)
        non_trainable = [
            new.astype(old.dtype)
            for old, new in zip(state.weights.non_trainable, floats, strict=True)
        ]
        trained = values(self._variables)
        weights = ModelWeights(trained, tuple(non_trainable), state.weights.order)
        optimizer = values(self._optimizer.variables)
        return ServerState(weights, optimizer, state.round + 1, state.aggregator)

    def check(self, state: ServerState) -> None:
        """Raise ModelError for a state of another model or another optimizer."""
        if not isinstance(state, ServerState):
            raise ModelError(f"a state of type {type(state).__name__}, expected a ServerState")
        self._like.check_like(state.weights)
        check_shapes(state.optimizer, self._shapes_like, "server optimizer variables")

    def arranged(self, weights: ModelWeights) -> ModelWeights:
        """Weights in the order of this model, whatever was frozen where they are from. Raises
        ModelError for weights of another model."""
        return self._like.arranged(weights)

    def _restore(self, state: ServerState) -> None:
        self._assign(state.weights)
        for variable, array in zip(self._optimizer.variables, state.optimizer, strict=True):
            variable.assign(array)

    def _assign(self, weights: ModelWeights) -> None:
        for variable, array in zip(self._variables, weights.trainable, strict=True):
            variable.assign(array)

    def _built(self) -> Any:
        """A new optimizer with its variables."""
        optimizer = new_optimizer(self._optimizer_fn, "server_optimizer_fn")
        optimizer.build(self._variables)
        _check(optimizer, self._variables)
        return optimizer


def _check(optimizer: keras.optimizers.Optimizer, variables: list[keras.Variable]) -> None:
    """Refuse what would go wrong silently on a server."""
    for each in _parts(optimizer):
        name = f"server_optimizer_fn returned {type(each).__name__}"
        if isinstance(each, keras.optimizers.LossScaleOptimizer) or each.loss_scale_factor:
            raise ModelError(
                f"{name} with a loss scale, by which gradients are divided, and the mean of the "
                "clients' updates is not scaled, expected an optimizer without one"
            )
        if each.use_ema and not each.ema_overwrite_frequency:
            raise ModelError(
                f"{name} with use_ema and no ema_overwrite_frequency, so the average would never "
                "be used, for rounds have no last one, expected ema_overwrite_frequency in rounds"
            )
        # Keras keeps what `exclude_from_weight_decay` was given as keys of the variables.
        excluded: set[Any] = getattr(each, "_exclude_from_weight_decay", set())
        if not excluded <= {each._var_key(variable) for variable in variables}:
            raise ModelError(
                f"{name} with variables of another model in exclude_from_weight_decay, expected "
                "var_names"
            )
    for variable in variables:
        if getattr(variable, "overwrite_with_gradient", False):
            raise ModelError(
                f"weight {variable.path!r} is overwritten with its gradient, as for float8, and "
                "has no mean, expected others"
            )


def _parts(optimizer: keras.optimizers.Optimizer) -> Iterator[Any]:
    """An optimizer, and those to which it hands the variables."""
    yield optimizer
    yield from getattr(optimizer, "optimizers", ())
