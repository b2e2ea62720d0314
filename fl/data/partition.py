"""Ways to split examples among clients: every example to exactly one client, at least one to each.

A partition is a list of index arrays; it never looks at the examples themselves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fl import seeds
from fl.errors import DataError

Partition = list[NDArray[np.int64]]


def iid(examples: int, clients: int, *, seed: int = 0) -> Partition:
    """Shuffle, and deal parts of equal size (within one). Raises DataError."""
    _check(examples, clients)
    order = seeds.generator("partition/iid", seed).permutation(examples)
    return [np.sort(part) for part in np.array_split(order, clients)]


def sequential(examples: int, clients: int) -> Partition:
    """Deal parts of equal size (within one) in the order the examples are in. Raises DataError."""
    _check(examples, clients)
    return list(np.array_split(np.arange(examples), clients))


def shards(labels: ArrayLike, clients: int, *, per_client: int = 2, seed: int = 0) -> Partition:
    """Sort by label, cut into clients x per_client shards, and deal each client `per_client`.

    This is the division of McMahan et al. 2017: a client has at most about `per_client` classes.
    Raises DataError.
    """
    classes = np.asarray(labels)
    if per_client < 1:
        raise DataError(f"per_client is {per_client}, expected at least 1")
    _check(classes.size, clients)
    _check(classes.size, clients * per_client)
    pieces = np.array_split(np.argsort(classes, kind="stable"), clients * per_client)
    dealt = (
        seeds.generator("partition/shards", seed)
        .permutation(len(pieces))
        .reshape(clients, per_client)
    )
    return [np.sort(np.concatenate([pieces[i] for i in hand])) for hand in dealt]


def by_owner(owners: ArrayLike) -> Partition:
    """One client for each distinct value of `owners`, in its order: digits by who wrote them."""
    who = np.asarray(owners)
    _check(who.size, 1)
    order = np.argsort(who, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(who[order])) + 1)


def dirichlet(labels: ArrayLike, clients: int, *, alpha: float, seed: int = 0) -> Partition:
    """Split each class among the clients in proportions drawn from Dirichlet(alpha).

    Small alpha gives each client few classes, large alpha approaches `iid`. A client left with
    nothing takes one example from the client that has most. Raises DataError.
    """
    classes = np.asarray(labels)
    _check(classes.size, clients)
    if not alpha > 0:
        raise DataError(f"alpha is {alpha}, expected a number above 0")
    rng = seeds.generator("partition/dirichlet", seed)
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
        raise DataError(f"{examples} examples for {clients} clients, expected at least one each")
