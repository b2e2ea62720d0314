"""Model weights <-> one flat float32 vector.

    vector = trainable weights ‖ float non-trainable weights, flattened, in the model's own order

Integer and other non-float weights have no mean: they are not in the vector and stay where they
are. Seed generators and metrics are not weights. This module does not train and does not sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl.errors import ModelError

Array = NDArray[Any]
Vector = NDArray[np.float32]
KerasModel = Any
"""A built `keras.Model`; this module does without importing Keras, as does `layout`."""

KerasVariable = Any
"""A `keras.Variable`."""

# float32 holds each of these exactly, so a round trip through the vector changes no bit.
_AGGREGATED_DTYPES = frozenset({"float16", "bfloat16", "float32"})


@dataclass(frozen=True, eq=False)
class ModelWeights:
    """The aggregated weights of a model, immutable: every array is a read-only copy.

    trainable: the trainable weights, in the order of `model.trainable_weights`.
    non_trainable: the float ones among `model.non_trainable_weights`, in that order.
    order: for each of `arrays` its number among the float weights of `model.weights`, which is the
        same whatever is frozen. Empty for arrays that do not come from a model: they are then taken
        to be in the order of the model that they are given to.

    >>> weights = fl.ModelWeights.from_model(model_fn())
    >>> weights, weights.to_vector().shape
    (ModelWeights(15 numbers in 2 arrays trained, 0 numbers in 0 arrays not), (15,))
    >>> weights.assign_weights_to(model_fn())
    """

    trainable: tuple[Array, ...]
    non_trainable: tuple[Array, ...]
    order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "trainable", read_only(self.trainable))
        object.__setattr__(self, "non_trainable", read_only(self.non_trainable))
        numbers = list(range(len(self.arrays)))
        if self.order and sorted(self.order) != numbers:
            raise ModelError(f"order {self.order}, expected each of {numbers} once")

    @classmethod
    def from_model(cls, model: KerasModel) -> ModelWeights:
        """The present weights of a built Keras model. Raises ModelError for float64 weights."""
        trainable, non_trainable = aggregated_variables(model)
        ids = [id(variable) for variable in trainable + non_trainable]
        places = {id(variable): place for place, variable in enumerate(model.weights)}
        number = {each: n for n, each in enumerate(sorted(ids, key=places.__getitem__))}
        order = tuple(number[each] for each in ids)
        return cls(values(trainable), values(non_trainable), order)

    @property
    def trained(self) -> list[int]:
        """The numbers of the trainable ones in `order`."""
        return list(self.order[: len(self.trainable)])

    def __repr__(self) -> str:
        return f"ModelWeights({counted(self.trainable)} trained, {counted(self.non_trainable)} not)"

    @property
    def arrays(self) -> tuple[Array, ...]:
        """All of them, trainable first: the order of the vector."""
        return self.trainable + self.non_trainable

    def assign_weights_to(self, model: KerasModel) -> None:
        """Put these weights into a Keras model of the same architecture, whatever it has frozen.

        Integer weights of the model keep their values. Raises ModelError if a shape differs; the
        model is then unchanged.
        """
        arrays = ModelWeights.from_model(model).arranged(self).arrays
        trainable, non_trainable = aggregated_variables(model)
        for variable, array in zip(trainable + non_trainable, arrays, strict=True):
            variable.assign(array)

    def to_vector(self) -> Vector:
        """The flat float32 vector."""
        parts = [array.astype(np.float32).reshape(-1) for array in self.arrays]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def check_like(self, other: ModelWeights) -> None:
        """Raise ModelError unless `other` has the shapes of these weights, and trains the same."""
        _check_type(other)
        trained, expected = other.trained, self.trained
        if len(other.order) == len(self.order) and trained != expected:
            raise ModelError(
                f"weights of a model that trains those of numbers {trained} in model.weights, the "
                f"others frozen, expected {expected}"
            )
        check_shapes(other.trainable, self.trainable, "trainable weights")
        check_shapes(other.non_trainable, self.non_trainable, "non-trainable weights")

    def arranged(self, other: ModelWeights) -> ModelWeights:
        """Weights of the same architecture, whatever they have frozen, in the order of these.

        Raises ModelError where a shape differs.
        """
        _check_type(other)
        if len(other.arrays) == len(other.order) == len(self.order):
            numbered = dict(zip(other.order, other.arrays, strict=True))
            arrays, trained = tuple(numbered[n] for n in self.order), len(self.trainable)
            other = ModelWeights(arrays[:trained], arrays[trained:], self.order)
        self.check_like(other)
        return replace(other, order=self.order)

    def split(self, vector: NDArray[Any]) -> tuple[list[Array], list[Array]]:
        """Cut a vector of this layout into (trainable, non-trainable) arrays; its dtype is kept."""
        pieces, start = [], 0
        for array in self.arrays:
            pieces.append(vector[start : start + array.size].reshape(array.shape))
            start += array.size
        if start != vector.size:
            raise ModelError(f"a vector of length {vector.size}, expected {start}")
        return pieces[: len(self.trainable)], pieces[len(self.trainable) :]


def _check_type(weights: Any) -> None:
    if not isinstance(weights, ModelWeights):
        raise ModelError(f"weights of type {type(weights).__name__}, expected ModelWeights")


def read_only(arrays: Iterable[Any]) -> tuple[Array, ...]:
    """Read-only copies of arrays."""
    copies = tuple(np.array(array) for array in arrays)
    for copy in copies:
        copy.flags.writeable = False
    return copies


def counted(arrays: Sequence[Array]) -> str:
    """How many numbers some arrays have, for a `repr`."""
    return f"{sum(array.size for array in arrays)} numbers in {len(arrays)} arrays"


def values(variables: Iterable[KerasVariable]) -> tuple[Array, ...]:
    """The values of Keras variables as read-only arrays."""
    return read_only(variable.numpy() for variable in variables)


def aggregated_variables(model: KerasModel) -> tuple[list[Any], list[Any]]:
    """The Keras variables behind the vector: (trainable, float non-trainable).

    Raises ModelError for a model without trainable weights, or with weights that float32 cannot
    hold (a trainable weight that is not a float; any float64 weight).
    """
    trainable = list(model.trainable_weights)
    if not trainable:
        raise ModelError(f"model {model.name!r} has no trainable weights, expected some")
    for variable in trainable:
        if variable.dtype not in _AGGREGATED_DTYPES:
            raise ModelError(_unsupported(variable))
    floats = [v for v in model.non_trainable_weights if "float" in v.dtype]
    for variable in floats:
        if variable.dtype not in _AGGREGATED_DTYPES:
            raise ModelError(_unsupported(variable))
    return trainable, floats


def local_variables(model: KerasModel) -> list[Any]:
    """The weights that stay on the client because they have no mean (integers, booleans)."""
    return [v for v in model.non_trainable_weights if "float" not in v.dtype]


def check_shapes(arrays: Sequence[Array], like: Sequence[Array], what: str) -> None:
    """Raise ModelError unless two sequences of arrays have the same shapes."""
    seen, expected = [a.shape for a in arrays], [a.shape for a in like]
    if seen != expected:
        raise ModelError(f"{what} of shapes {seen}, expected {expected}")


def _unsupported(variable: KerasVariable) -> str:
    return f"weight {variable.path!r} is {variable.dtype}, expected float weights of up to 32 bits"
