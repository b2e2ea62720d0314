"""The adaptive server optimizers of Reddi et al., Adaptive Federated Optimization, ICLR 2021.

    m <- β₁·m + (1-β₁)·g                         g is minus the mean delta
    v <- v + g²                                  FedAdagrad
         β₂·v + (1-β₂)·g²                        FedAdam
         v - (1-β₂)·sign(v - g²)·g²              FedYogi, after Zaheer et al. 2018
    w <- w - η·m / (√v + τ)

Algorithm 2 of the paper, whose τ is `epsilon` here, from m = 0 and v = τ². As there, nothing is
corrected for the bias of the first rounds. Keras's optimizers of like names are others: its `Adam`
corrects for that bias, its `Adagrad` begins at v = 0.1 and has ε inside the root.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    import tensorflow as tf
    from keras.optimizers.schedules import LearningRateSchedule


class _Adaptive(keras.optimizers.Optimizer):  # type: ignore[misc]
    """All but the rule for v."""

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule,
        beta_1: float,
        epsilon: float,
        initial_accumulator_value: float | None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = beta_1
        self.epsilon = epsilon
        self.initial_accumulator_value = initial_accumulator_value

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create m and v."""
        if self.built:
            return
        super().build(variables)
        start = self.initial_accumulator_value
        initial = keras.initializers.Constant(self.epsilon**2 if start is None else start)
        self._m = self.add_optimizer_variables(variables, "m")
        self._v = self.add_optimizer_variables(variables, "v", initializer=initial)

    def update_step(
        self,
        gradient: tf.Tensor,
        variable: keras.Variable,
        learning_rate: float | LearningRateSchedule,
    ) -> None:
        """One step of one variable."""
        index = self._get_variable_index(variable)
        m, v = self._m[index], self._v[index]
        rate = keras.ops.cast(learning_rate, variable.dtype)
        gradient = keras.ops.cast(gradient, variable.dtype)
        self.assign_add(m, (gradient - m) * (1 - self.beta_1))
        self.assign_add(v, self._growth(v, keras.ops.square(gradient)))
        self.assign_sub(variable, rate * m / (keras.ops.sqrt(v) + self.epsilon))

    def _growth(self, v: keras.Variable, square: tf.Tensor) -> tf.Tensor:
        """How much is added to v."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        names = ("beta_1", "epsilon", "initial_accumulator_value")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class _Decaying(_Adaptive):
    """v forgets, by β₂."""

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        epsilon: float = 1e-3,
        initial_accumulator_value: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, epsilon, initial_accumulator_value, **options)
        self.beta_2 = beta_2

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "beta_2": self.beta_2}


@keras.saving.register_keras_serializable(package="fl")
class FedAdagrad(_Adaptive):
    """A Keras optimizer: v is the sum of all squares.

    learning_rate: η, a number or a Keras schedule.
    beta_1: β₁, in [0, 1).
    epsilon: τ, how adaptive it is at most: small gradients are divided by it.
    initial_accumulator_value: v before the first step; None is τ², the least that the paper allows.
    options: those of `keras.optimizers.Optimizer`, for example `global_clipnorm`.

    >>> process = fl.build_weighted_fed_avg(
    ...     model_fn, server_optimizer_fn=lambda: fl.FedAdagrad(0.1)
    ... )
    >>> len(process.initialize().optimizer)  # m and v of two arrays, the rate, the steps
    6
    """

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.1,
        beta_1: float = 0.0,
        epsilon: float = 1e-3,
        initial_accumulator_value: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, epsilon, initial_accumulator_value, **options)

    def _growth(self, v: keras.Variable, square: tf.Tensor) -> tf.Tensor:
        return square


@keras.saving.register_keras_serializable(package="fl")
class FedAdam(_Decaying):
    """A Keras optimizer: v is a moving mean of the squares.

    beta_2: β₂, in [0, 1). Other arguments as in `FedAdagrad`.

    >>> process = fl.build_weighted_fed_avg(
    ...     model_fn, server_optimizer_fn=lambda: fl.FedAdam(0.01)
    ... )
    >>> len(process.initialize().optimizer)  # m and v of two arrays, the rate, the steps
    6
    """

    def _growth(self, v: keras.Variable, square: tf.Tensor) -> tf.Tensor:
        return (square - v) * (1 - self.beta_2)


@keras.saving.register_keras_serializable(package="fl")
class FedYogi(_Decaying):
    """A Keras optimizer: v moves towards the square by steps of bounded size.

    beta_2: β₂, in [0, 1). Other arguments as in `FedAdagrad`.

    >>> process = fl.build_weighted_fed_avg(
    ...     model_fn, server_optimizer_fn=lambda: fl.FedYogi(0.01)
    ... )
    >>> len(process.initialize().optimizer)  # m and v of two arrays, the rate, the steps
    6
    """

    def _growth(self, v: keras.Variable, square: tf.Tensor) -> tf.Tensor:
        return -(1 - self.beta_2) * keras.ops.sign(v - square) * square
