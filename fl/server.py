"""The server's half of a round: a Keras optimizer applied to minus the mean delta.

    trainable     <- optimizer(trainable, gradient = -mean)      non-trainable <- itself + mean

SGD(1.0) is thus plain federated averaging. This module holds no state between calls: the
optimizer's variables travel in `ServerState`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fl.errors import ModelError
from fl.vector import Array, ModelWeights, check_shapes, read_only, values


@dataclass(frozen=True, eq=False)
class ServerState:
    """Where the training stands, immutable: the weights, the server optimizer's variables as
    read-only arrays, how many rounds are done, and what the aggregator carries on (nothing, for
    one that has no state)."""

    weights: ModelWeights
    optimizer: tuple[Array, ...]
    round: int
    aggregator: tuple[Array, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "optimizer", read_only(self.optimizer))
        object.__setattr__(self, "aggregator", read_only(self.aggregator))


class ServerOptimizer:
    """Applies mean deltas to states. `optimizer` is a fresh Keras optimizer."""

    def __init__(self, optimizer: Any, weights: ModelWeights) -> None:
        self._like = weights
        self._optimizer = optimizer
        self._variables = [
            keras.Variable(array, dtype=array.dtype.name, name=f"weight_{i}")
            for i, array in enumerate(weights.trainable)
        ]
        optimizer.build(self._variables)
        self._initial = values(optimizer.variables)

    def initialize(self, weights: ModelWeights) -> ServerState:
        """The state before the first round."""
        return ServerState(weights, self._initial, 0)

    def apply(self, state: ServerState, mean: NDArray[np.float64]) -> ServerState:
        """The state after one round whose mean delta is `mean`, float64[d]."""
        self.check(state)
        self._restore(state)
        trainable, floats = state.weights.split(mean)
        gradients = [
            keras.ops.convert_to_tensor(-delta, variable.dtype)
            for delta, variable in zip(trainable, self._variables, strict=True)
        ]
        self._optimizer.apply(gradients, self._variables)
        non_trainable = [
            (old.astype(np.float64) + delta).astype(old.dtype)
            for old, delta in zip(state.weights.non_trainable, floats, strict=True)
        ]
        weights = ModelWeights(values(self._variables), tuple(non_trainable))
        optimizer = values(self._optimizer.variables)
        return ServerState(weights, optimizer, state.round + 1, state.aggregator)

    def check(self, state: ServerState) -> None:
        """Raise ModelError for a state of another model or another optimizer."""
        if not isinstance(state, ServerState):
            raise ModelError(f"a state of type {type(state).__name__}: a ServerState expected")
        self.check_weights(state.weights)
        check_shapes(state.optimizer, self._initial, "server optimizer variables")

    def check_weights(self, weights: ModelWeights) -> None:
        """Raise ModelError for weights of another model."""
        self._like.check_like(weights)

    def _restore(self, state: ServerState) -> None:
        for variable, array in zip(self._variables, state.weights.trainable, strict=True):
            variable.assign(array)
        for variable, array in zip(self._optimizer.variables, state.optimizer, strict=True):
            variable.assign(array)
