"""Arrays of real numbers as float64, where numpy would make such of strings, dates and more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fl.errors import DataError

_ALL_WHOLE = 2.0**53  # from here on float64 lacks some integers


def real_numbers(given: object) -> NDArray[np.float64]:
    """An array as float64 of the same numbers.

    Raises DataError for what is no array of booleans, integers or floats of up to 64 bits, and for
    integers that float64 would round.
    """
    try:
        array = np.asarray(given)
    except (TypeError, ValueError):
        array = np.asarray(None)
    # outside of the handler: the error of numpy quotes what it could not read
    if not np.can_cast(array.dtype, np.float64):
        raise DataError(
            "not an array of numbers, expected booleans, integers or floats of up to 64 bits"
        )
    numbers = array.astype(np.float64)
    large = np.abs(numbers) >= _ALL_WHOLE
    if large.any():
        # A list of integers may have become floats already.
        exact = np.asarray(given if isinstance(given, list | tuple) else array, object)
        if (exact[large] != numbers[large]).any():
            raise DataError("integers that float64 rounds, expected such as it holds exactly")
    return numbers
