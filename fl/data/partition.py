"""Ways to split examples among clients: every example to exactly one client, at least one to each.

A partition is a list of index arrays; it never looks at the examples themselves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fl.errors import DataError

Partition = list[NDArray[np.int64]]


def iid(examples: int, clients: int, *, seed: int = 0) -> Partition:
    """Shuffle, and deal parts of equal size (within one). Raises DataError."""
    _check(examples, clients)
    order = np.random.default_rng(seed).permutation(examples)
    return [np.sort(part) for part in np.array_split(order, clients)]


def dirichlet(labels: ArrayLike, clients: int, *, alpha: float, seed: int = 0) -> Partition:
    """Split each class among the clients in proportions drawn from Dirichlet(alpha).

    Small alpha gives each client few classes, large alpha approaches `iid`. A client left with
    nothing takes one example from the client that has most. Raises DataError.
    """
    classes = np.asarray(labels)
    _check(classes.size, clients)
    if not alpha > 0:
        raise DataError(f"alpha is {alpha}: a number above 0 expected")
    rng = np.random.default_rng(seed)
    parts: list[list[int]] = [[] for _ in range(clients)]
    for label in np.unique(classes):
        members = rng.permutation(np.flatnonzero(classes == label))
        ends = np.cumsum(rng.dirichlet(np.full(clients, alpha)))[:-1] * members.size
        for part, given in zip(parts, np.split(members, ends.astype(np.int64)), strict=True):
            part.extend(given.tolist())
    _feed_the_empty(parts)
    return [np.sort(np.array(part, np.int64)) for part in parts]


def _feed_the_empty(parts: list[list[int]]) -> None:
    for part in parts:
        if not part:
            part.append(max(parts, key=len).pop())


def _check(examples: int, clients: int) -> None:
    if not 1 <= clients <= examples:
        raise DataError(f"{examples} examples for {clients} clients: at least one each expected")
