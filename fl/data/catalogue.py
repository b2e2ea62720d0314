"""Every data set by its name.

    (x_train, y_train), (x_test, y_test) = load("mnist", data_dir)     all in one place
    train, test = load("emnist", data_dir)                             of many clients: ClientData

A name that is not in the table is one of tensorflow_datasets', where that package is installed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from fl.data.clients import ClientData
from fl.data.images import Split
from fl.errors import DataError

DataSet = tuple[Split, Split] | tuple[ClientData, ClientData]

_LOADERS = {
    "digits": "digits:bundled",
    "mnist": "images:mnist",
    "fashion_mnist": "images:fashion_mnist",
    "kmnist": "images:kmnist",
    "cifar10": "images:cifar10",
    "emnist": "emnist:load",
    "emnist_all": "emnist:load_all",
    "femnist": "leaf:femnist",
    "shakespeare": "shakespeare:load_data",
}
NAMES = tuple(_LOADERS)
_OTHERS = "tensorflow_datasets"


def load(name: str, data_dir: str | Path | None = None) -> DataSet:
    """(train, test) of a data set: two pairs of arrays (x, y), or two `ClientData`.

    data_dir: the directory that has the files, and then nothing is downloaded; None downloads what
        Keras's cache does not have.

    Raises DataError.
    """
    known = check_name(name).replace("-", "_")
    if known not in _LOADERS:
        return _from_tensorflow_datasets(name, data_dir)
    module, _, function = _LOADERS[known].partition(":")
    loader: Callable[[str | Path | None], DataSet] = getattr(
        importlib.import_module(f"fl.data.{module}"), function
    )
    return loader(data_dir)


def check_name(name: str) -> str:
    """The name. Raises DataError for one that no package that is installed can know."""
    known = name.replace("-", "_") in _LOADERS or _OTHERS in sys.modules
    if not known and find_spec(_OTHERS) is None:
        raise DataError(
            f"unknown data set {name!r}, expected one of {', '.join(NAMES)}, "
            f"or a name of {_OTHERS}, which is not installed"
        )
    return name


def _from_tensorflow_datasets(name: str, data_dir: str | Path | None) -> tuple[Split, Split]:
    try:
        tfds = importlib.import_module(_OTHERS)
        train, test = tfds.load(
            name,
            split=["train", "test"],
            batch_size=-1,
            as_supervised=True,
            data_dir=None if data_dir is None else str(data_dir),
            download=data_dir is None,
        )
    except (OSError, ValueError, AssertionError, LookupError, ImportError) as error:
        reason = " ".join(str(error).split())[:300]
        raise DataError(f"tensorflow_datasets cannot load {name!r}: {reason}") from error
    return _split(train), _split(test)


def _split(pair: tuple[ArrayLike, ArrayLike]) -> Split:
    x, y = (np.asarray(part) for part in pair)
    scale = np.float32(255 if x.dtype == np.uint8 else 1)
    return x.astype(np.float32) / scale, y.astype(np.int64)
