"""Digits by the people who wrote them, in the form in which TensorFlow Federated gives EMNIST.

    train, test = writers.load_data("data")      # each a fl.data.ClientData
    train.create_tf_dataset_for_client(client)   # OrderedDict(label=..., pixels=...), one a digit

From `data_dir` it takes EMNIST where its two HDF5 files are there, else MNIST by its writers.
Without one it takes the digits that come with scikit-learn, enlarged and dealt to 50 clients, of
whom each has few of the ten kinds. Nothing is downloaded.
"""

from pathlib import Path

import numpy as np

import fl


def load_data(data_dir=None):
    """(train, test). Of MNIST and scikit-learn's digits the test clients are other people."""
    if data_dir is None:
        train, test = ((_enlarged(x), y) for x, y in fl.data.load("digits"))
        parts = fl.data.partition.shards(train[1], 50, per_client=3)
        return _clients(*train, _named(parts)), _dealt(*test, clients=10)
    if Path(data_dir, "fed_emnist_digitsonly_train.h5").exists():
        return fl.data.emnist.load_data(cache_dir=data_dir)
    (x, y), test = fl.data.load("mnist", data_dir)
    return _by_writer(x, y, fl.data.images.writers(data_dir)), _dealt(*test, clients=100)


def _enlarged(x):
    """From 8 x 8 pixels to 28 x 28."""
    return np.pad(
        np.kron(x.reshape(-1, 8, 8), np.ones((1, 3, 3), x.dtype)), [(0, 0), (2, 2), (2, 2)]
    )


def _by_writer(x, y, owners):
    parts = fl.data.partition.by_owner(owners)
    return _clients(
        x, y, {f"writer-{w:04d}": p for w, p in zip(np.unique(owners), parts, strict=True)}
    )


def _dealt(x, y, clients):
    return _clients(x, y, _named(fl.data.partition.sequential(len(y), clients)))


def _named(parts):
    return {f"client-{i:02d}": part for i, part in enumerate(parts)}


def _clients(x, y, rows):
    def read(client):
        return {"pixels": x[rows[client]], "label": y[rows[client]].astype(np.int32)}

    return fl.data.ClientData(list(rows), read, lambda f: (f["pixels"], f["label"]))
