"""Where the public data sets are published, and what each file's checksum is: a table, no code.

A file's name is relative to the data directory. Checksums are the publishers': SHA-256 (64 digits)
or MD5 (32 digits). Files that come in an archive are unpacked from it beside where they belong.
"""

from __future__ import annotations

from dataclasses import dataclass

_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_TFF = "https://storage.googleapis.com/tff-datasets-public/"
_KMNIST = "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"


@dataclass(frozen=True)
class Source:
    """One published file. checksum: None where the publisher gives none."""

    name: str
    url: str
    checksum: str | None = None
    archive: Source | None = None


def _idx(folder: str, url: str, checksums: tuple[str, str, str, str]) -> tuple[Source, ...]:
    """The four files in MNIST's own format: train images, train labels, test images and labels."""
    names = [f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in _IDX_KINDS]
    return tuple(
        Source(f"{folder}/{name}", url + name, checksum)
        for name, checksum in zip(names, checksums, strict=True)
    )


_IDX_KINDS = ("images-idx3", "labels-idx1")


def _archived(archive: Source, *names: str) -> tuple[Source, ...]:
    return tuple(Source(name, archive.url, None, archive) for name in names)


MNIST_NPZ = Source(
    "mnist.npz",
    _KERAS + "mnist.npz",
    "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
)
MNIST_IDX = _idx(
    "mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
)
FASHION_MNIST_IDX = _idx(
    "fashion-mnist",
    _KERAS,
    (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
)
KMNIST_IDX = _idx(
    "kmnist",
    _KMNIST,
    (
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
    ),
)
QMNIST_LABELS = Source(
    "qmnist-train-labels-idx2-int.gz",
    "https://raw.githubusercontent.com/facebookresearch/qmnist/master/"
    "qmnist-train-labels-idx2-int.gz",
    "0058f8dd561b90ffdd0f734c6a30e5e4",
)
KMNIST_NPZ = tuple(
    Source(f"kmnist/kmnist-{part}.npz", f"{_KMNIST}kmnist-{part}.npz")
    for part in ("train-imgs", "train-labels", "test-imgs", "test-labels")
)
CIFAR_10 = _archived(
    Source(
        "cifar-10-python.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ),
    *(f"cifar-10-batches-py/data_batch_{i}" for i in range(1, 6)),
    "cifar-10-batches-py/test_batch",
)
EMNIST = _archived(
    Source(
        "fed_emnist.tar.bz2",
        _TFF + "fed_emnist.tar.bz2",
        "fe1ed5a502cea3a952eb105920bff8cffb32836b5173cb18a57a32c3606f3ea0",
    ),
    "fed_emnist_train.h5",
    "fed_emnist_test.h5",
)
EMNIST_DIGITS = _archived(
    Source(
        "fed_emnist_digitsonly.tar.bz2",
        _TFF + "fed_emnist_digitsonly.tar.bz2",
        "55333deb8546765427c385710ca5e7301e16f4ed8b60c1dc5ae224b42bd5b14b",
    ),
    "fed_emnist_digitsonly_train.h5",
    "fed_emnist_digitsonly_test.h5",
)
SHAKESPEARE = _archived(
    Source(
        "shakespeare.tar.bz2",
        _TFF + "shakespeare.tar.bz2",
        "0285be9906cb5f268092eee4edeeacfc2af4574f2941f7cc2f08a321d7f5c707",
    ),
    "shakespeare_train.h5",
    "shakespeare_test.h5",
)
