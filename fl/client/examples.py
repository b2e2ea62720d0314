"""A client's data, in any of its forms, as arrays plus batch boundaries.

    (x[, y[, sample_weight]]), x alone, {"x", ...} by name                 batched by the trainer
    a finite tf.data.Dataset, a keras.utils.PyDataset, a list of batches   batched as they are
    a function that makes one of these, or a generator of batches          read anew each time

x, y and sample_weight are arrays, or what `fit` takes for several inputs and outputs: tuples, lists
and dicts of arrays, nested. Batches are used in exactly their own order and size; one without a row
is no batch. This module does not pad, drop, repeat or cast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fl.data.clients import ClientData, parts_by_name
from fl.data.masked import refuse_masked
from fl.errors import DataError
from fl.one_line import one_line

Indices = NDArray[np.int64]

_FORMS = (
    "(x, y[, sample_weight]) arrays, a tf.data.Dataset, a keras.utils.PyDataset, a list of "
    "batches, or a function that makes one of these or a generator"
)


@dataclass(frozen=True, eq=False)
class Examples:
    """All examples of one client.

    arrays: as Keras gives a batch to a step, (x, y), (x, y, sample_weight), (x,) or x; each of them
        an array, or a structure of tuples and dicts. Every array has `count` rows. Without a row it
        means nothing.
    bounds: int64[batches + 1], where each batch begins and ends; None where batching is free.
    """

    arrays: Any = field(repr=False)
    count: int = field(repr=False)
    bounds: Indices | None = field(default=None, repr=False)

    @property
    def parts(self) -> tuple[Any, Any, Any]:
        """x, y and sample_weight; None for what there is not."""
        parts: tuple[Any, Any, Any] = keras.utils.unpack_x_y_sample_weight(self.arrays)
        return parts

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


def count_clients(client_data: object) -> int:
    """How many clients' data a round was given. Raises DataError for what is no sequence."""
    if isinstance(client_data, ClientData):
        raise DataError(
            "client_data is a ClientData, expected a list of clients' data, such as "
            "[cd.arrays(c) for c in cd.client_ids]"
        )
    one = isinstance(client_data, Mapping | str | keras.utils.PyDataset) or _is_array(client_data)
    if not isinstance(client_data, Sized) or not hasattr(client_data, "__getitem__") or one:
        seen = type(client_data).__name__
        raise DataError(f"client_data is a {seen}, expected a list with each client's data")
    return len(client_data)


def read_examples(data: object) -> Examples:
    """Read one client's data; a client without examples has a count of 0.

    Raises DataError when they are not one of the forms above.
    """
    if isinstance(data, Examples):
        return data
    if isinstance(data, tf.data.Dataset):
        return _from_batches(_of_dataset(data))
    if isinstance(data, keras.utils.PyDataset):
        return _from_batches(_of_py_dataset(data))
    if isinstance(data, list):
        return _from_batches(map(_listed, data))
    if isinstance(data, tuple | Mapping) or _is_array(data):
        arrays = keras.utils.pack_x_y_sample_weight(*_parts(data))
        return Examples(arrays, _rows(arrays))
    if isinstance(data, Iterator):
        raise DataError(
            f"a {type(data).__name__}, which can be read once, expected a function that makes a "
            "new one each time"
        )
    if callable(data):
        return _made_by(data)
    raise DataError(f"client data of type {type(data).__name__}, expected {_FORMS}")


def _made_by(make: Callable[[], object]) -> Examples:
    made = make()
    # Whatever gives batches one after another: a generator, a loader of another library.
    plain = not isinstance(made, tf.data.Dataset | keras.utils.PyDataset | list | tuple | Mapping)
    if plain and isinstance(made, Iterable) and not _is_array(made):
        return _from_batches(made)
    if callable(made):
        raise DataError(f"a function that makes a {type(made).__name__}, expected {_FORMS}")
    return read_examples(made)


def _of_dataset(dataset: tf.data.Dataset) -> list[Any]:
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise DataError("the dataset is infinite, expected .take(n) in place of a bare .repeat()")
    specs = tf.nest.flatten(dataset.element_spec)
    if any(isinstance(spec, tf.SparseTensorSpec | tf.RaggedTensorSpec) for spec in specs):
        raise DataError("a dataset of sparse or ragged tensors, expected dense tensors")
    try:
        return list(dataset.as_numpy_iterator())
    except tf.errors.OpError as error:
        failure = one_line(error)
    # Outside of the handler: what TensorFlow says may quote the examples.
    raise DataError(f"the dataset cannot be read: {failure}")


def _of_py_dataset(dataset: keras.utils.PyDataset) -> Iterator[Any]:
    """One epoch as `fit` takes it, but in its own order and in this thread."""
    if dataset.num_batches is None:
        raise DataError("the PyDataset is infinite, expected a number of batches")
    dataset.on_epoch_begin()
    for index in range(dataset.num_batches):
        batch = dataset[index]
        yield (batch,) if _is_array(batch) else batch
    dataset.on_epoch_end()


def _listed(batch: Any) -> Any:
    if _is_array(batch):
        raise DataError(
            "a list of arrays, expected (x, y) as a tuple, or a list of batches (x, y); several "
            "inputs are ([a, b], y)"
        )
    return batch


def _from_batches(batches: Iterable[Any]) -> Examples:
    elements = [_element(batch) for batch in batches]
    elements = [element for element in elements if _rows(element) > 0]
    if not elements:
        return Examples((), 0)
    first = _signature(elements[0])
    for index, element in enumerate(elements):
        if _signature(element) != first:
            raise DataError(
                f"batch {index} has another structure or shapes, expected those of batch 0"
            )
    sizes = [_rows(element) for element in elements]
    joined = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *elements)
    return Examples(joined, sum(sizes), np.append(0, np.cumsum(sizes)))


def _element(element: Any) -> Any:
    """A batch as `fit` would give it to a step, of arrays."""
    x, y, sample_weight = _parts(element)
    if y is None and isinstance(element, tuple | list):
        return (x,)
    return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)


def _parts(element: Any) -> tuple[Any, Any, Any]:
    """x, y and sample_weight of arrays or of a batch; None for what there is not."""
    if isinstance(element, Mapping):
        given = parts_by_name(element)
    elif isinstance(element, tuple | list):
        given = tuple(element)
    elif _is_array(element):
        given = (element,)
    else:
        raise DataError(f"an element of type {type(element).__name__}, expected (x, y)")
    if len(given) not in (1, 2, 3):
        raise DataError(f"an element of {len(given)} parts, expected (x, y[, sample_weight])")
    x, y, sample_weight = [*given, None, None][:3]
    if x is None or (y is None and sample_weight is not None):
        missing = "x" if x is None else "y"
        raise DataError(f"an element without {missing}, expected (x, y[, sample_weight])")
    x, y = _structure(x), None if y is None else _structure(y)
    if sample_weight is not None:
        sample_weight = _for_each_output(_structure(sample_weight, _ones(y)), y)
    return x, y, sample_weight


def _for_each_output(sample_weight: Any, y: Any) -> Any:
    """As `fit` does: one array of weights is that of every output."""
    if isinstance(sample_weight, np.ndarray):
        scalar = sample_weight.ndim == 1 or sample_weight.shape[1:] == (1,)
        if isinstance(y, np.ndarray) or scalar:
            return keras.tree.map_structure(lambda _: sample_weight, y)
        raise DataError(
            "one sample_weight of several numbers a row for several outputs, expected one number "
            "a row, or an array for each output"
        )
    try:
        keras.tree.assert_same_structure(y, sample_weight)
        return sample_weight
    except ValueError:
        pass  # its message quotes the arrays
    raise DataError(
        "sample_weight has another structure than y, expected one array for each output"
    )


def _ones(y: Any) -> NDArray[Any]:
    """The sample weights of an output that has none beside one that has."""
    return np.ones(_rows(y), np.float32)


def _structure(part: Any, absent: Any = None) -> Any:
    """Arrays in the structure of the part, lists as tuples, as `fit` makes of them; `absent` in
    place of None inside of it."""
    if isinstance(part, Mapping):
        return {name: _structure(each, absent) for name, each in part.items()}
    if isinstance(part, tuple) or (isinstance(part, list) and _holds_arrays(part)):
        return tuple(_structure(each, absent) for each in part)
    if part is None and absent is not None:
        return absent
    if part is None:
        raise DataError("None in place of an array, expected an array for each input and output")
    return _array(part)


def _holds_arrays(part: list[Any] | tuple[Any, ...]) -> bool:
    """Whether it is a list of inputs or outputs, rather than an array written by hand."""
    return any(
        _holds_arrays(each)
        if isinstance(each, list | tuple)
        else isinstance(each, Mapping) or each is None or getattr(each, "ndim", 0) > 0
        for each in part
    )


def _is_array(value: object) -> bool:
    """Whether it is an array of numpy, or of a library whose arrays numpy reads."""
    objects = isinstance(value, np.ndarray) and value.dtype.hasobject
    return hasattr(value, "__array__") and not isinstance(value, type) and not objects


def _array(value: object) -> NDArray[Any]:
    refuse_masked(value)
    try:
        array = np.asarray(value)
    except ValueError:
        array = None
    if array is None:  # outside of the handler: numpy's error says how many rows there are
        raise DataError("not an array, expected rows of one shape")
    if array.ndim == 0:
        raise DataError(
            "an element without a batch axis, expected a row for each example: [x] where there is "
            "one alone, .batch(n) for a Dataset"
        )
    if array.dtype.hasobject and not all(isinstance(v, bytes | str) for v in array.flat):
        raise DataError("an array of Python objects, expected numbers or strings")
    return array


def _rows(arrays: Any) -> int:
    lengths = [len(array) for array in keras.tree.flatten(arrays)]
    if not lengths:
        raise DataError("no array at all, expected (x, y[, sample_weight])")
    if len(set(lengths)) != 1:
        several = " (a list of arrays is one for each input or output)" if len(lengths) > 3 else ""
        raise DataError(
            f"x, y and sample_weight have different numbers of rows, expected the same{several}"
        )
    return lengths[0]


def _signature(arrays: Any) -> tuple[Any, ...]:
    paths = keras.tree.flatten_with_path(arrays)
    return tuple((path, array.shape[1:], array.dtype) for path, array in paths)
