"""A client's data, in any of its forms, as arrays plus batch boundaries.

    (x, y) or (x, y, sample_weight) arrays, {"x", "y"} dicts of arrays    batched by the trainer
    a finite tf.data.Dataset, a list of batches                          batched as they are

Batches of a data set or a list are used in exactly their own order and size. This module does not
pad, drop, repeat or cast.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fl.data.clients import ClientData
from fl.errors import DataError
from fl.masked import refuse_masked

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Examples:
    """All examples of one client.

    arrays: (x, y) or (x, y, sample_weight); x and y may be nested structures of arrays. Every
        array has `count` rows.
    bounds: int64[batches + 1], where each batch begins and ends; None where batching is free.
    """

    arrays: tuple[Any, ...] = field(repr=False)
    count: int = field(repr=False)
    bounds: Indices | None = field(default=None, repr=False)

    def schedule(
        self, *, batch_size: int, epochs: int, shuffle: bool, rng: np.random.Generator
    ) -> tuple[Indices, Indices]:
        """Which rows each training step takes: (order, bounds), step i is order[b[i]:b[i+1]].

        The arguments are for data whose batching is free; fixed batches are taken once, as given.
        """
        if self.bounds is not None:
            return np.arange(self.count), self.bounds
        order = [
            rng.permutation(self.count) if shuffle else np.arange(self.count) for _ in range(epochs)
        ]
        starts = np.arange(0, self.count, batch_size)
        bounds = [starts + epoch * self.count for epoch in range(epochs)]
        return np.concatenate(order), np.append(np.concatenate(bounds), epochs * self.count)


def count_clients(client_data: Any) -> int:
    """How many clients' data a round was given. Raises DataError for what is no sequence."""
    if isinstance(client_data, ClientData):
        raise DataError(
            "client_data is a ClientData: a list of clients' data expected, such as "
            "[cd.arrays(c) for c in cd.client_ids]"
        )
    indexed = hasattr(client_data, "__len__") and hasattr(client_data, "__getitem__")
    if not indexed or isinstance(client_data, Mapping):
        seen = type(client_data).__name__
        raise DataError(f"client_data is a {seen}: a list with each client's data expected")
    return len(client_data)


def read_examples(data: Any) -> Examples:
    """Read one client's data. Raises DataError when they are not one of the forms above."""
    if isinstance(data, Examples):
        return data
    if isinstance(data, tf.data.Dataset):
        if data.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise DataError("the dataset is infinite: use .take(n) in place of a bare .repeat()")
        return _from_batches(data.as_numpy_iterator())
    if isinstance(data, list):
        return _from_batches(data)
    if isinstance(data, tuple | Mapping):
        arrays = _element(data)
        return Examples(arrays, _rows(arrays))
    raise DataError(
        f"client data of type {type(data).__name__}: expected (x, y) arrays, "
        "a tf.data.Dataset, or a list of batches"
    )


def check_against(model: Any, examples: Examples) -> None:
    """Refuse examples whose x does not fit the model's input, where the model has just one."""
    inputs = getattr(model, "inputs", None)
    x = examples.arrays[0]
    if not inputs or len(inputs) != 1 or not isinstance(x, np.ndarray):
        return
    wanted = tuple(inputs[0].shape[1:])
    # Keras adds a missing last axis of length one by itself.
    if not (_fits(x.shape[1:], wanted) or _fits((*x.shape[1:], 1), wanted)):
        expected = ", ".join(["examples", *("any" if n is None else str(n) for n in wanted)])
        seen = ", ".join(["examples", *map(str, x.shape[1:])])
        raise DataError(f"x has shape ({seen}): the model expects ({expected})")


def _from_batches(batches: Iterable[Any]) -> Examples:
    elements = [_element(batch) for batch in batches]
    if not elements:
        raise DataError("no batches: every client needs at least one example")
    sizes = [_rows(element) for element in elements]
    first = _signature(elements[0])
    for index, element in enumerate(elements):
        if _signature(element) != first:
            raise DataError(f"batch {index} does not have the structure and shapes of batch 0")
    joined = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *elements)
    return Examples(joined, sum(sizes), np.append(0, np.cumsum(sizes)))


def _element(element: Any) -> tuple[Any, ...]:
    """One element, (x, y[, w]) or a dict with these names, as a tuple of arrays."""
    if isinstance(element, Mapping):
        parts = _from_mapping(element)
    elif isinstance(element, tuple | list):
        parts = tuple(element)
    else:
        raise DataError(f"an element of type {type(element).__name__}: expected (x, y)")
    if len(parts) not in (2, 3):
        raise DataError(f"an element of {len(parts)} parts: expected (x, y[, sample_weight])")
    return tuple(_structure(part) for part in parts)


def _structure(part: Any) -> Any:
    # A list is an array written by hand; several inputs of one model come as a tuple or a dict.
    return _array(part) if isinstance(part, list) else keras.tree.map_structure(_array, part)


def _from_mapping(element: Mapping[Any, Any]) -> tuple[Any, ...]:
    names = set(element)
    if not {"x", "y"} <= names <= {"x", "y", "sample_weight"}:
        found = ", ".join(sorted(map(str, names)))
        raise DataError(f"an element with the names {found}: expected x, y[, sample_weight]")
    extra = (element["sample_weight"],) if "sample_weight" in names else ()
    return (element["x"], element["y"], *extra)


def _array(value: Any) -> NDArray[Any]:
    refuse_masked(value)
    try:
        array = np.asarray(value)
    except ValueError:
        array = None
    if array is None:  # outside of the handler: numpy's error says how many rows there are
        raise DataError("not an array: rows of one shape expected")
    if array.ndim == 0:
        raise DataError("an element without a batch axis: batch the data first, .batch(n)")
    if array.dtype.hasobject and not all(isinstance(v, bytes | str) for v in array.flat):
        raise DataError("an array of Python objects: expected numbers or strings")
    return array


def _rows(arrays: tuple[Any, ...]) -> int:
    lengths = [len(array) for array in keras.tree.flatten(arrays)]
    if len(set(lengths)) != 1:
        raise DataError("x, y and sample_weight have different numbers of rows: expected the same")
    if lengths[0] == 0:
        raise DataError("no examples: every client needs at least one")
    return lengths[0]


def _signature(arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    paths = keras.tree.flatten_with_path(arrays)
    return tuple((path, array.shape[1:], array.dtype) for path, array in paths)


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        want is None or have == want for have, want in zip(shape, wanted, strict=True)
    )
