"""How clients' values, and the edges of a histogram, are read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from fl.analytics.answers import Values
from fl.data.masked import refuse_masked
from fl.data.reals import real_numbers
from fl.errors import AggregationError, DataError, NoExamples


def read_values(
    values: Sequence[ArrayLike], *, alike: bool = True, needed: bool = True
) -> list[Values]:
    """float64[values of the client, ...] for every client. alike: all values of one shape. needed:
    one client at least has a value."""
    arrays: list[Values] = []
    for client, given in enumerate(values):
        try:
            refuse_masked(given)
            array = np.atleast_1d(real_numbers(given))
        except DataError as error:
            raise DataError(f"client {client}: {error}") from None
        arrays.append(array)
    first = next((client for client, array in enumerate(arrays) if len(array)), None)
    if arrays and first is None and needed:
        raise NoExamples(f"none of {len(arrays)} clients has a value, expected at least one")
    return [
        _like(arrays, client, first) if alike else arrays[client] for client in range(len(arrays))
    ]


def _like(arrays: Sequence[Values], client: int, first: int | None) -> Values:
    """The values of a client, of the shape of those of the first that has any."""
    array, shape = arrays[client], arrays[first or 0].shape[1:]
    if len(array) == 0:
        return np.zeros((0, *shape))
    if array.shape[1:] != shape:
        raise DataError(
            f"client {client}: shape {array.shape[1:]}, expected {shape} as of client {first}"
        )
    return array


def read_edges(edges: ArrayLike) -> Values:
    """At least two finite numbers, ascending. Raises AggregationError."""
    try:
        bounds = real_numbers(edges)
    except DataError as error:
        raise AggregationError(f"edges: {error}") from None
    if bounds.ndim != 1 or bounds.size < 2 or not np.isfinite(bounds).all():
        raise AggregationError(f"edges {bounds}, expected at least two finite numbers")
    if not (bounds[1:] > bounds[:-1]).all():
        raise AggregationError(f"edges {bounds}, expected ascending numbers")
    return bounds
