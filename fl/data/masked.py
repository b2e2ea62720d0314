"""Masked arrays of numpy: a plain array made of one has what was masked, and no mask.

What is masked is refused wherever data come in; a masked array of which nothing is masked is its
data.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fl.errors import DataError


def refuse_masked(value: object) -> None:
    """Raise DataError for an array, or arrays in a list, tuple or dict, with something masked."""
    if _masked(value):
        raise DataError(
            "an array with masked values, expected arrays without, for example with a sample "
            "weight of 0 for what does not count"
        )


def _masked(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_masked, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_masked, value))
    return bool(np.ma.is_masked(value))
