"""Federated data sets in TensorFlow Federated's HDF5 layout.

    examples/<client>/<feature>     one array a feature, one row an example

The file stays open as long as its `ClientData` is in use; rows are read when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np

from fl.data.clients import Arrays, ClientData, Features
from fl.data.files import read
from fl.data.sources import Source

ToArrays = Callable[[Features], Arrays]


def load(
    files: tuple[Source, ...],
    data_dir: str | Path | None,
    names: Sequence[str],
    to_arrays: ToArrays,
    *,
    row_by_row: bool = True,
) -> tuple[ClientData, ClientData]:
    """(train, test) of two files whose clients have the features `names`. Raises DataError.

    row_by_row: whether `to_arrays` makes one row of each example.
    """

    def reader(path: Path) -> ClientData:
        return client_data(path, names, to_arrays, row_by_row)

    train, test = (read(file, data_dir, reader) for file in files)
    return train, test


def client_data(
    path: Path, names: Sequence[str], to_arrays: ToArrays, row_by_row: bool
) -> ClientData:
    """The clients of one file. Raises what h5py raises, or KeyError, for another layout."""
    examples = h5py.File(path, "r")["examples"]
    clients = sorted(examples)
    for client in clients[:1]:
        missing = set(names) - set(examples[client])
        if missing:
            raise KeyError(f"client {client!r} has no {', '.join(sorted(missing))}")

    def features(client: str) -> Features:
        return {name: np.asarray(examples[client][name]) for name in names}

    def count(client: str) -> int:
        return len(examples[client][names[0]])

    return ClientData(clients, features, to_arrays, count if row_by_row else None)
