"""Federated EMNIST: handwritten digits and letters by 3 400 writers.

    emnist_train, emnist_test = fl.data.emnist.load_data()      as in TensorFlow Federated

Features of an example: pixels float32[28, 28], 1 is paper and 0 is ink; label int32, 0 to 9, and
with `only_digits=False` to 61. The same writers are in both.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fl.data import hdf5, sources
from fl.data.clients import Arrays, ClientData, Features
from fl.errors import DataError


def load_data(
    only_digits: bool = True, cache_dir: str | Path | None = None
) -> tuple[ClientData, ClientData]:
    """(train, test).

    cache_dir: where the files are; None downloads them.

    Raises DataError.
    """
    if not isinstance(only_digits, bool):
        raise DataError(
            f"only_digits={only_digits!r}, expected True or False; where the files are is "
            f"cache_dir={str(only_digits)!r}"
        )
    files = sources.EMNIST_DIGITS if only_digits else sources.EMNIST
    return hdf5.load(files, cache_dir, ("label", "pixels"), _arrays)


def load(data_dir: str | Path | None) -> tuple[ClientData, ClientData]:
    """The digits alone."""
    return load_data(only_digits=True, cache_dir=data_dir)


def load_all(data_dir: str | Path | None) -> tuple[ClientData, ClientData]:
    """Digits and letters."""
    return load_data(only_digits=False, cache_dir=data_dir)


def _arrays(features: Features) -> Arrays:
    return features["pixels"].astype(np.float32), features["label"].astype(np.int64)
