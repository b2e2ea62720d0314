"""The handwritten digits that come with scikit-learn: 1797 images of 8×8 pixels, ten classes.

It downloads nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fl import seeds
from fl.errors import DataError

if TYPE_CHECKING:
    from sklearn.utils import Bunch

Split = tuple[NDArray[np.float32], NDArray[np.int64]]


def load(seed: int = 0, test_fraction: float = 0.2) -> tuple[Split, Split]:
    """((x_train, y_train), (x_test, y_test)): x is float32[n, 64] in [0, 1], y is int64[n].

    The split is by `seed`. Raises DataError without scikit-learn, or for a fraction not in (0, 1).
    """
    if not 0 < test_fraction < 1:
        raise DataError(f"test_fraction is {test_fraction}, expected a number between 0 and 1")
    bundled = _bundled()
    x = (bundled.data / 16).astype(np.float32)
    y = bundled.target.astype(np.int64)
    order = seeds.generator("digits/split", seed).permutation(len(y))
    test, train = np.split(order, [round(test_fraction * len(y))])
    return (x[train], y[train]), (x[test], y[test])


def bundled(data_dir: str | Path | None = None) -> tuple[Split, Split]:
    """`load` with its defaults; there is no file, so `data_dir` is not looked at."""
    return load()


def _bundled() -> Bunch:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError("the digits need scikit-learn: pip install 'secagg[fl]'") from error
    return load_digits()
