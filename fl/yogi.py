"""Yogi, for the server: Adam whose second moment moves by steps of bounded size.

    m <- β₁·m + (1-β₁)·g
    v <- v - (1-β₂)·sign(v - g²)·g²
    w <- w - η·m / (√v + ε)

Algorithm 2 of Reddi et al. 2021 (FedYogi), after Zaheer et al. 2018; as there, nothing is corrected
for the bias of the first rounds. Keras has the other server optimizers of that paper: `SGD` with
momentum, `Adam`, `Adagrad`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="fl")
class Yogi(keras.optimizers.Optimizer):  # type: ignore[misc]
    """A Keras optimizer.

    learning_rate: η, a number or a Keras schedule. beta_1, beta_2: β₁ and β₂, in [0, 1).
    epsilon: ε, how adaptive it is at most: small gradients are divided by it.
    initial_accumulator_value: v before the first step.
    options: those of `keras.optimizers.Optimizer`, for example `global_clipnorm`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        epsilon: float = 1e-3,
        initial_accumulator_value: float = 1e-6,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.initial_accumulator_value = initial_accumulator_value

    def build(self, variables: Sequence[Any]) -> None:
        """Create m and v."""
        if self.built:
            return
        super().build(variables)
        initial = keras.initializers.Constant(self.initial_accumulator_value)
        self._m = self.add_optimizer_variables(variables, "m")
        self._v = self.add_optimizer_variables(variables, "v", initializer=initial)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One step of one variable."""
        index = self._get_variable_index(variable)
        m, v = self._m[index], self._v[index]
        rate = keras.ops.cast(learning_rate, variable.dtype)
        gradient = keras.ops.cast(gradient, variable.dtype)
        square = keras.ops.square(gradient)
        self.assign_add(m, (gradient - m) * (1 - self.beta_1))
        self.assign_sub(v, (1 - self.beta_2) * keras.ops.sign(v - square) * square)
        self.assign_sub(variable, rate * m / (keras.ops.sqrt(v) + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        names = ("beta_1", "beta_2", "epsilon", "initial_accumulator_value")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
