"""Sets of labelled images in one place: MNIST, Fashion-MNIST, KMNIST, CIFAR-10.

    load(...) -> ((x_train, y_train), (x_test, y_test))

x is float32 in [0, 1]: [n, 28, 28] in grey, [n, 32, 32, 3] in colour. y is int64[n]. There is no
augmentation.
"""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fl.data import sources
from fl.data.files import present, read
from fl.data.sources import Source
from fl.errors import DataError

Split = tuple[NDArray[np.float32], NDArray[np.int64]]
Splits = tuple[Split, Split]
DataDir = str | Path | None


def mnist(data_dir: DataDir = None) -> Splits:
    """`mnist.npz` as Keras has it, or the four original files in `mnist/`. Raises DataError."""
    if not present([sources.MNIST_NPZ], data_dir) and present(sources.MNIST_IDX, data_dir):
        return _splits([read(source, data_dir, _idx) for source in sources.MNIST_IDX])
    names = ("x_train", "y_train", "x_test", "y_test")
    return _splits(read(sources.MNIST_NPZ, data_dir, lambda path: _npz(path, names)))


def fashion_mnist(data_dir: DataDir = None) -> Splits:
    """The four files in `fashion-mnist/`. Raises DataError."""
    return _splits([read(source, data_dir, _idx) for source in sources.FASHION_MNIST_IDX])


def kmnist(data_dir: DataDir = None) -> Splits:
    """The official .npz files in `kmnist/`, or those in MNIST's format. Raises DataError."""
    if present(sources.KMNIST_NPZ, data_dir):
        return _splits([read(s, data_dir, _only_array) for s in sources.KMNIST_NPZ])
    return _splits([read(source, data_dir, _idx) for source in sources.KMNIST_IDX])


def cifar10(data_dir: DataDir = None) -> Splits:
    """The python version: `cifar-10-batches-py/`, or its archive. Raises DataError."""
    batches = [read(source, data_dir, _cifar_batch) for source in sources.CIFAR_10]
    x, y = (np.concatenate(column) for column in zip(*batches[:-1], strict=True))
    return _splits([x, y, *batches[-1]])


def writers(data_dir: DataDir) -> NDArray[np.int64]:
    """Who wrote each of MNIST's training digits, int64[60000], numbers of NIST's. Raises DataError.

    They are in the labels of QMNIST, whose training digits are MNIST's in the same order; or as
    `writer_train` in `mnist_writer_ids.npz`.
    """
    if present([_WRITERS], data_dir):
        return read(_WRITERS, data_dir, lambda path: _npz(path, ["writer_train"]))[0].astype(
            np.int64
        )
    return read(sources.QMNIST_LABELS, data_dir, _idx)[:, _WRITER].astype(np.int64)


_WRITERS = Source("mnist_writer_ids.npz", "")
_WRITER = 2  # the column of QMNIST's labels


def _splits(arrays: Sequence[NDArray[Any]]) -> Splits:
    x_train, y_train, x_test, y_test = arrays
    for x, y in ((x_train, y_train), (x_test, y_test)):
        if len(x) != len(y):
            raise DataError(f"{len(x)} images with {len(y)} labels, expected the same number")
    return (_scaled(x_train), y_train.astype(np.int64)), (_scaled(x_test), y_test.astype(np.int64))


def _scaled(images: NDArray[Any]) -> NDArray[np.float32]:
    return images.astype(np.float32) / np.float32(255)


def _npz(path: Path, names: Sequence[str]) -> list[NDArray[Any]]:
    with np.load(path, allow_pickle=False) as arrays:
        return [arrays[name] for name in names]


def _only_array(path: Path) -> NDArray[Any]:
    return _npz(path, ["arr_0"])[0]


def _idx(path: Path) -> NDArray[Any]:
    """MNIST's own format: two zero bytes, the type, the number of axes, the lengths, the values."""
    with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
        content = file.read()
    if content[:2] != b"\0\0" or len(content) < 4:
        raise ValueError("not in MNIST's format")
    dtype, axes = _IDX_TYPES[content[2]], content[3]
    shape = np.frombuffer(content, ">u4", axes, 4).tolist()
    return np.frombuffer(content, dtype, offset=4 + 4 * axes).reshape(shape)


_IDX_TYPES = {0x08: "u1", 0x0C: ">i4"}


def _cifar_batch(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    with open(path, "rb") as file:
        batch = _PlainUnpickler(file).load()
    images = np.asarray(batch[b"data"], np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return images, np.asarray(batch[b"labels"], np.int64)


class _PlainUnpickler(pickle.Unpickler):
    """CIFAR-10 is published as pickles: nothing in them may be called but numpy's own arrays."""

    _ALLOWED = frozenset({("_reconstruct", "multiarray"), ("ndarray", "numpy"), ("dtype", "numpy")})

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="bytes")

    def find_class(self, module: str, name: str) -> Any:
        if (name, module.rpartition(".")[2]) not in self._ALLOWED or not module.startswith("numpy"):
            raise ValueError(f"a pickle that calls {module}.{name}")
        if name == "_reconstruct":
            return np.ndarray.__reduce__(np.zeros(0))[0]
        return getattr(np, name)
