"""The client's optimizer: fresh for every pass, and what a pass does for it besides its steps.

    begin   optimizers with `begin_pass` may read the weights, which are the plan's now
    take    one batch; with a loss scale, again at half the scale as long as its gradient overflows
    end     moving averages take the place of the weights, as at the end of Keras's `fit`

All three run inside the compiled function. This module does not say what is put back before a pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np
import tensorflow as tf

from fl.errors import ModelError
from fl.model.step_state import Stray, apart_from, lent

LEAST_SCALE = 2.0**-14
"""No smaller loss scale is tried: a gradient that overflows half precision here is above 2^29."""

# Settings of Keras's base optimizer that its configuration leaves out.
_EXCLUDED = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")


@runtime_checkable
class BeginsPass(Protocol):
    """A client optimizer that is told when a pass begins, inside the compiled function."""

    def begin_pass(self) -> None: ...


class NoOptimizer:
    """In place of one, for passes that train nothing."""

    counts: tuple[str, ...] = ()
    variables: tuple[Any, ...] = ()
    assigned: tuple[Any, ...] = ()
    optimizer: Any = None

    @contextmanager
    def of(self, model: keras.Model) -> Iterator[None]:
        """While the model's step is traced."""
        yield

    def begin(self) -> None:
        """After everything was put back."""

    def take(self, step: Callable[[], None], touched: list[Stray]) -> Any:
        """One batch by `step`, which uses the variables `touched`: 1 if it was skipped, else 0."""
        step()
        return tf.constant(0)

    def end(self) -> Any:
        """After the last batch: how many batches are still waiting for a step."""
        return tf.constant(0)


class ClientOptimizer(NoOptimizer):
    """A Keras optimizer, built for a model's weights.

    counts: the name of what `take` and `end` count together, empty where no batch is ever skipped.
    variables: all that are put back before a pass. assigned: those that are set otherwise.
    rate: the learning rate's, which the plan of a round sets; None where there is no one rate.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, model: keras.Model) -> None:
        optimizer.build(model.trainable_variables)
        _check_start(optimizer, model.trainable_variables)
        self.optimizer = optimizer
        self._weights = model.trainable_variables
        *_, self._inner = wrapped(optimizer)
        # A keras.optimizers.MultiOptimizer has several, each for some of the weights.
        parts = getattr(self._inner, "optimizers", [self._inner])
        self._averages = any(part.use_ema for part in parts)
        self._accumulating = [part for part in parts if part.gradient_accumulation_steps]
        rate = getattr(optimizer, "learning_rate", None)
        self.rate = rate if isinstance(rate, keras.Variable) else None
        self.variables = tuple(v for v in optimizer.variables if v is not self.rate)
        self.assigned = () if self.rate is None else (self.rate,)
        self.counts = ("num_skipped",) if self._accumulating else ()

    @contextmanager
    def of(self, model: keras.Model) -> Iterator[None]:
        """The model has this optimizer while its step is traced; its own is left as it is."""
        own, model.optimizer = model.optimizer, self.optimizer
        try:
            yield
        finally:
            model.optimizer = own

    def begin(self) -> None:
        """Tell those optimizers that care that the weights are those of the plan now."""
        for each in wrapped(self.optimizer):
            if isinstance(each, BeginsPass):
                each.begin_pass()

    def end(self) -> Any:
        """Put the averages of `use_ema` in place of the weights; the batches accumulated since the
        last step."""
        if self._averages:
            # Before its first step an average is zero, not the weights.
            applied = tf.convert_to_tensor(self._inner._iterations)
            tf.cond(applied > 0, self._finalize, lambda: True)
        waiting = [
            tf.cast(part._iterations % part.gradient_accumulation_steps, tf.int32)
            for part in self._accumulating
        ]
        return tf.reduce_max([0, *waiting])

    def _finalize(self) -> bool:
        self._inner.finalize_variable_values(self._weights)
        return True


class Scaled(ClientOptimizer):
    """A `keras.optimizers.LossScaleOptimizer`, whose scale begins anew in every pass.

    Keras skips a batch whose gradient overflows and halves the scale, which costs the first batches
    of a training. A client may have no others, so here such a batch is taken again at half the
    scale, everything else put back. Where the first scale works this is Keras's own training. A
    batch whose gradient is finite at no scale down to `LEAST_SCALE` is skipped and counted, and
    the scale is then half of what it was before it, as in Keras.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, model: keras.Model) -> None:
        super().__init__(optimizer, model)
        self.counts = ("num_skipped",)

    def take(self, step: Callable[[], None], touched: list[Stray]) -> Any:
        """See the class."""
        scale = self.optimizer.dynamic_scale
        before = apart_from(touched, [scale, self.optimizer.step_counter])
        kept = [(variable, variable.read()) for variable in before]
        first = tf.identity(tf.convert_to_tensor(scale))

        def attempt(number: Any, _: Any, present: Any) -> tuple[Any, Any, Any]:
            for variable, value in kept:
                variable.assign(value)
            step()
            following = tf.identity(tf.convert_to_tensor(scale))
            return number + 1, following < present, following

        def again(number: Any, overflowed: Any, present: Any) -> Any:
            return (number == 0) | (overflowed & (present >= LEAST_SCALE))

        _, skipped, following = tf.while_loop(
            again, attempt, [tf.constant(0), tf.constant(False), first]
        )
        scale.assign(tf.where(skipped, first / 2, following))
        return tf.cast(skipped, tf.int32)


def in_pass(optimizer: keras.optimizers.Optimizer, model: keras.Model) -> ClientOptimizer:
    """A client's optimizer as a pass uses it."""
    kind = Scaled if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) else ClientOptimizer
    return kind(optimizer, model)


def wrapped(optimizer: keras.optimizers.Optimizer) -> Iterator[Any]:
    """An optimizer, the one that it wraps, and so on."""
    while optimizer is not None:
        yield optimizer
        optimizer = getattr(optimizer, "inner_optimizer", None)


def unused(optimizer: keras.optimizers.Optimizer) -> Any:
    """A new optimizer of the same configuration. Raises ModelError where that is not all of it."""
    try:
        new = type(optimizer).from_config(optimizer.get_config())
    except (TypeError, ValueError, KeyError, NotImplementedError) as error:
        raise ModelError(f"{_used(optimizer)}: {error}") from error
    for old, fresh in zip(wrapped(optimizer), wrapped(new), strict=True):
        if lost := [key for key, value in _settings(old) if getattr(fresh, key, None) != value]:
            raise ModelError(f"{_used(optimizer)}: its configuration lacks {', '.join(lost)}")
    return new


def fresh(optimizer: keras.optimizers.Optimizer) -> Any:
    """An optimizer without a past, for the same weights: itself, if it was never used. A model that
    was loaded from a file has one with a past. Raises ModelError."""
    if not optimizer.built:
        return optimizer
    new = unused(optimizer)
    for old, each in zip(wrapped(optimizer), wrapped(new), strict=True):
        for name in _EXCLUDED:
            if hasattr(old, name):
                setattr(each, name, getattr(old, name))
    return new


def configuration(optimizer: keras.optimizers.Optimizer) -> str:
    """An optimizer's configuration as JSON, for the round's plan."""
    config = keras.saving.serialize_keras_object(optimizer)
    return json.dumps(_without_names(config), sort_keys=True, default=str)


def _check_start(optimizer: keras.optimizers.Optimizer, weights: list[Any]) -> None:
    """Raise ModelError where an optimizer's state begins as a copy of the weights: those of the
    first round would be put back in every round.

    Tried with a new one on other weights, for theirs may be zero, as much of a state is. One that
    cannot be made anew is looked at as it is.
    """
    try:
        new = unused(optimizer)
    except (ModelError, ValueError):
        # One number may be that of a weight by chance.
        _refuse_copies(optimizer, [weight for weight in weights if np.prod(weight.shape) > 1])
        return
    with lent(weights):
        rng = np.random.default_rng(0)
        for weight in weights:
            weight.assign(rng.uniform(1, 2, weight.shape))
        new.build(weights)
        _refuse_copies(new, weights)


def _refuse_copies(optimizer: keras.optimizers.Optimizer, weights: list[Any]) -> None:
    for variable in optimizer.variables:
        value = variable.numpy()
        alike = (w for w in weights if w.shape == variable.shape)
        if value.any() and any(np.array_equal(value, w.numpy()) for w in alike):
            raise ModelError(
                f"client optimizer {type(optimizer).__name__} begins with a copy of the weights, "
                f"{variable.path!r}, expected one whose state does not depend on them"
            )


def _used(optimizer: keras.optimizers.Optimizer) -> str:
    return (
        f"the model's optimizer {type(optimizer).__name__} was used before and cannot be made anew "
        "(expected a model with a new optimizer, or client_optimizer_fn)"
    )


def _settings(optimizer: keras.optimizers.Optimizer) -> Iterator[tuple[str, Any]]:
    for key, value in vars(optimizer).items():
        public = not key.startswith("_") and key not in ("name", "built")
        if public and isinstance(value, int | float | str | None):
            yield key, value


def _without_names(config: Any) -> Any:
    """Names of optimizers are "sgd", "sgd_1", ...: the count of what a process has made."""
    if not isinstance(config, dict):
        return config
    return {key: _without_names(value) for key, value in config.items() if key != "name"}
