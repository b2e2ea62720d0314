"""The examples of many clients: `ClientData`, in the shape of TensorFlow Federated's.

    train.client_ids                                    who there is
    train.arrays(client)                                (x, y[, sample_weight]), ready to train on
    train.create_dataset(client, batch_size=20)         the same as a tf.data.Dataset
    train.create_tf_dataset_for_client(client)          the stored features, one example an element

Examples are read when they are asked for; nothing is kept but what the reader keeps.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fl import seeds, tff
from fl.data.masked import refuse_masked
from fl.data.partition import Partition
from fl.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf

Features = Mapping[str, NDArray[Any]]
Arrays = tuple[Any, ...]

_PARTS = ("x", "y", "sample_weight")


class ClientData(tff.NamesWhatReplaces):
    """Clients and their examples.

    client_ids: names, in a fixed order.
    read: client id -> its stored features, arrays of one row an example, or structures of them.
    to_arrays: features -> (x,), (x, y) or (x, y, sample_weight); the default expects features of
        these names.
    count: client id -> how many rows its arrays have, where that is known without reading them.
    """

    _replacements = tff.CLIENT_DATA

    def __init__(
        self,
        client_ids: Sequence[str],
        read: Callable[[str], Features],
        to_arrays: Callable[[Features], Arrays] | None = None,
        count: Callable[[str], int] | None = None,
    ) -> None:
        if not client_ids:
            raise DataError("no clients, expected at least one")
        self.client_ids = list(client_ids)
        self._known = frozenset(self.client_ids)
        self._read = read
        self._to_arrays = to_arrays or parts_by_name
        self._count = count

    @classmethod
    def from_partition(
        cls, examples: Arrays, parts: Partition, client_ids: Sequence[str] | None = None
    ) -> ClientData:
        """Examples (x[, y[, sample_weight]]) split by index arrays; the clients are "0", "1", ...
        unless named."""
        if not 1 <= len(examples) <= len(_PARTS):
            raise DataError(
                f"examples of {len(examples)} parts, expected (x[, y[, sample_weight]])"
            )
        parts_of = dict(zip(_PARTS, examples, strict=False))
        names = [str(u) for u in range(len(parts))] if client_ids is None else client_ids
        rows = dict(zip(names, parts, strict=True))
        return cls(
            names,
            lambda client: _map(lambda array: array[rows[client]], parts_of),
            None,
            lambda client: len(rows[client]),
        )

    def __len__(self) -> int:
        return len(self.client_ids)

    def __repr__(self) -> str:
        return f"ClientData({len(self)} clients)"

    def features(self, client_id: str) -> Features:
        """The stored features of one client. Raises DataError for an unknown client."""
        if client_id not in self._known:
            raise DataError(f"no client {client_id!r}, expected one of {len(self)} client_ids")
        return self._read(client_id)

    def arrays(self, client_id: str) -> Arrays:
        """(x,), (x, y) or (x, y, sample_weight), ready to train on. Raises DataError."""
        arrays = self._to_arrays(self.features(client_id))
        refuse_masked(arrays)
        return arrays

    def count(self, client_id: str) -> int:
        """How many rows the arrays of one client have."""
        if self._count is not None:
            return self._count(client_id)
        lengths: list[int] = []
        _map(lambda array: lengths.append(len(array)), self.arrays(client_id))
        return lengths[0]

    def create_dataset(self, client_id: str, batch_size: int | None = None) -> tf.data.Dataset:
        """`arrays` as a data set: one example an element, or batches. Raises DataError."""
        import tensorflow as tf

        dataset = tf.data.Dataset.from_tensor_slices(self.arrays(client_id))
        return dataset if batch_size is None else dataset.batch(batch_size)

    def create_tf_dataset_for_client(self, client_id: str) -> tf.data.Dataset:
        """The stored features, one example an element, as TensorFlow Federated gives them."""
        import tensorflow as tf

        features = sorted(self.features(client_id).items())
        return tf.data.Dataset.from_tensor_slices(OrderedDict(features))

    def create_tf_dataset_from_all_clients(self, seed: int | None = None) -> tf.data.Dataset:
        """All clients' stored features one client after another, in an order drawn from `seed`."""
        order = self._order("one after another", seed)
        first, *rest = (self.create_tf_dataset_for_client(self.client_ids[i]) for i in order)
        for dataset in rest:
            first = first.concatenate(dataset)
        return first

    def datasets(
        self, limit_count: int | None = None, seed: int | None = None
    ) -> Iterator[tf.data.Dataset]:
        """The clients' data sets in an order drawn from `seed`, at most `limit_count` of them."""
        order = self._order("data sets", seed)
        for index in order[:limit_count]:
            yield self.create_tf_dataset_for_client(self.client_ids[index])

    def select(self, client_ids: Sequence[str]) -> ClientData:
        """The same data with these clients only. Raises DataError for an unknown one."""
        unknown = [client for client in client_ids if client not in self._known]
        if unknown:
            raise DataError(f"no client {unknown[0]!r}, expected one of {len(self)} client_ids")
        return ClientData(client_ids, self._read, self._to_arrays, self._count)

    def train_test_split(self, test_clients: int, seed: int = 0) -> tuple[ClientData, ClientData]:
        """Two disjoint groups of clients, the second of `test_clients`. Raises DataError."""
        if not 1 <= test_clients < len(self):
            raise DataError(
                f"{test_clients} test clients of {len(self)}, expected fewer, and at least 1"
            )
        order = self._order("split", seed)
        test, train = np.split(order, [test_clients])
        ids = [[self.client_ids[i] for i in np.sort(part)] for part in (train, test)]
        return self.select(ids[0]), self.select(ids[1])

    @staticmethod
    def train_test_client_split(
        client_data: ClientData, num_test_clients: int, seed: int | None = None
    ) -> tuple[ClientData, ClientData]:
        """`train_test_split` under its name in TensorFlow Federated."""
        return client_data.train_test_split(num_test_clients, 0 if seed is None else seed)

    def _order(self, purpose: str, seed: int | None) -> NDArray[np.int64]:
        rng = np.random.default_rng() if seed is None else seeds.generator(f"data/{purpose}", seed)
        return rng.permutation(len(self))

    def pooled(self) -> Arrays:
        """All clients' `arrays` as one, clients in order: for an evaluation in one place."""
        parts = [self.arrays(client) for client in self.client_ids]
        pooled: Arrays = _map(lambda *arrays: np.concatenate(arrays), *parts)
        return pooled


def parts_by_name(features: Mapping[Any, Any]) -> Arrays:
    """(x,), (x, y) or (x, y, sample_weight) of a dict with these names. Raises DataError."""
    names = set(features)
    if "x" not in names or not names <= set(_PARTS) or names == {"x", "sample_weight"}:
        found = ", ".join(sorted(map(str, names)))
        raise DataError(
            f"an element with the names {found}, expected x, y[, sample_weight]; several inputs "
            "by name are the x of them, ({...}, y)"
        )
    return tuple(features[name] for name in _PARTS if name in names)


def _map(function: Callable[..., Any], *structures: Any) -> Any:
    """A function of the arrays of structures alike."""
    import keras

    return keras.tree.map_structure(function, *structures)
