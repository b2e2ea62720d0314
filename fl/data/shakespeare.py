"""Federated Shakespeare: the lines of 715 roles, as TensorFlow Federated has them.

    train, test = fl.data.shakespeare.load_data()

The feature of an example is snippets, a string. `arrays` makes of them what a model of the next
character is trained on: x and y int32[n, 80], y being x one character later, and weights
float32[n, 80] that are 0 where a sequence is padded.

    number 0: padding    1..86: a character of VOCABULARY    87: unknown    88: begin    89: end
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fl.data import hdf5, sources
from fl.data.clients import Arrays, ClientData, Features
from fl.errors import DataError

VOCABULARY = (
    "dhlptx@DHLPTX $(,048cgkoswCGKOSW[_#'/37;?bfjnrvzBFJNRVZ\"&*.26:\naeimquyAEIMQUY]!%)-159\r"
)
PADDING, UNKNOWN, BEGIN, END = 0, 87, 88, 89
SYMBOLS = 90
LENGTH = 80

_NUMBER = np.full(256, UNKNOWN, np.int32)
_NUMBER[list(VOCABULARY.encode())] = np.arange(1, len(VOCABULARY) + 1)


def load_data(cache_dir: str | Path | None = None) -> tuple[ClientData, ClientData]:
    """(train, test).

    cache_dir: where the files are; None downloads them.

    Raises DataError.
    """
    return hdf5.load(sources.SHAKESPEARE, cache_dir, ("snippets",), _arrays, row_by_row=False)


def sequences(snippets: Iterable[bytes], length: int = LENGTH) -> Arrays:
    """(x, y, weights) of texts: each begins a sequence of its own, the last of each is padded.

    Raises DataError for no texts.
    """
    pieces = [_pieces(np.frombuffer(text, np.uint8), length + 1) for text in snippets]
    if not pieces:
        raise DataError("no snippets, expected at least one")
    rows = np.concatenate(pieces)
    x, y = rows[:, :-1], rows[:, 1:]
    return x, y, (y != PADDING).astype(np.float32)


def _pieces(text: NDArray[np.uint8], length: int) -> NDArray[np.int32]:
    numbers = np.concatenate([[BEGIN], _NUMBER[text], [END]]).astype(np.int32)
    rows = -(-numbers.size // length)
    padded = np.full(rows * length, PADDING, np.int32)
    padded[: numbers.size] = numbers
    return padded.reshape(rows, length)


def _arrays(features: Features) -> Arrays:
    return sequences(features["snippets"].tolist())
