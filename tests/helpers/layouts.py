"""Tiny files in the layouts of the public data sets."""

import gzip
import json
import pickle

import h5py
import numpy as np

PIXELS = np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28)
LABELS = np.array([7, 0, 3], np.uint8)


def write_npz(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


def write_mnist(folder, train=(PIXELS, LABELS), test=(PIXELS[:1], LABELS[:1])):
    names = ("x_train", "y_train", "x_test", "y_test")
    write_npz(folder / "mnist.npz", **dict(zip(names, (*train, *test), strict=True)))


def idx(array, kind=8):
    """An array in MNIST's own format."""
    lengths = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, kind, array.ndim]) + lengths + array.tobytes()


def write_idx(folder, packed=True):
    folder.mkdir(parents=True)
    for part, count in (("train", 3), ("t10k", 1)):
        for name, array in (("images-idx3", PIXELS), ("labels-idx1", LABELS)):
            content = idx(array[:count])
            path = folder / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content) if packed else content)


def write_hdf5(path, clients):
    with h5py.File(path, "w") as file:
        for client, features in clients.items():
            for name, values in features.items():
                file[f"examples/{client}/{name}"] = values


def writer(count, start=0):
    """The federated EMNIST features of one writer."""
    pixels = np.full((count, 28, 28), 0.5, np.float32)
    return {"label": np.arange(start, start + count, dtype=np.int32), "pixels": pixels}


def write_cifar(folder, extra=None):
    """Keras's layout: rows of 3072 bytes, all red first; labels as a list."""
    folder.mkdir(parents=True)
    row = np.repeat(np.array([10, 20, 30], np.uint8), 32 * 32)
    for number, name in enumerate([f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]):
        batch = {b"data": np.stack([row, row]), b"labels": [number, 9], **(extra or {})}
        (folder / name).write_bytes(pickle.dumps(batch))


def write_leaf(folder, users):
    folder.mkdir(parents=True)
    data = {user: {"x": np.zeros((n, 784)).tolist(), "y": [5] * n} for user, n in users.items()}
    content = {"users": list(users), "num_samples": list(users.values()), "user_data": data}
    (folder / "all_data_0.json").write_text(json.dumps(content))
