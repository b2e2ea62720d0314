"""Data sets for federated learning, and ways to split them among clients.

    train, test = fl.data.load("mnist", data_dir="data")
    clients = fl.data.ClientData.from_partition(train, fl.data.partition.iid(len(train[1]), 100))

    emnist_train, emnist_test = fl.data.emnist.load_data()       as in TensorFlow Federated

>>> (x, y), test = fl.data.load("digits")
>>> fl.data.ClientData.from_partition((x, y), fl.data.partition.iid(len(y), 10))
ClientData(10 clients)

Modules: `catalogue` has every data set by name and `federated` each as a federated problem;
`digits`, `emnist`, `images`, `leaf` and `shakespeare` read them, from `files` or `hdf5` of the
`sources` that publish them; `partition` divides examples and `clients` holds them; `masked` and
`reals` refuse arrays that are no plain numbers.  May be imported from it: what is in `__all__`,
and `masked` and `reals` by whoever takes a client's numbers.

A new data set is a reader here, a function of the directory of its files that gives train and test,
a line in `catalogue`, by whose name `federated` and the command know it, and its files in `sources`
where they are to be downloaded.

It uses `errors`, `seeds` and `tff`.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fl.data import digits, emnist, images, leaf, partition, shakespeare
    from fl.data.catalogue import load
    from fl.data.clients import ClientData

_MODULES = ("digits", "emnist", "images", "leaf", "partition", "shakespeare")
_HOME = {"load": "fl.data.catalogue", "ClientData": "fl.data.clients"}

__all__ = [
    "ClientData",
    "digits",
    "emnist",
    "images",
    "leaf",
    "load",
    "partition",
    "shakespeare",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"fl.data.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'fl.data' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
