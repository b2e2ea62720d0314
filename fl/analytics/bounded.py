"""What one client answers where the sum gets noise: vectors of which the length has a bound.

    sum         s / L           L = max(|low|, |high|), s clipped to [low, high]       √d
    mean        ((m − c) / h, 1/2)      [low, high] = c ± h, m clipped                 √(d + 1/4)
    histogram   counts of at most k values                                             k
    tree        counts of at most k values in halves, quarters, ... of [low, high]     k·√(levels)

The last column is the largest Euclidean length of the vector, which is what one client can move the
sum by: a client without a value gives zeros, as does one that has a NaN where it cannot be left
out. Of more than k values it counts k, drawn at random. How many clients answer is public, how many
have a value is not: so a mean divides by a sum of halves that has noise too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fl.analytics.answers import Values
from fl.privacy.random_bits import RandomBits

PRESENT = 0.5
"""What a client with values adds to the count by which a mean is divided. More makes the count
finer and the sum coarser; the best is √|mean| in units of h, and this is near it up to 1/2."""


class Bounded(NamedTuple):
    """A question whose answers are vectors of `size` numbers, at most `norm` long.

    name: of `BOUNDED`. numbers: as the client is told them.
    """

    name: str
    numbers: tuple[float, ...]
    size: int
    norm: float


def bounded_sum(low: float, high: float, coordinates: int) -> Bounded:
    """A sum of so many coordinates, each within [low, high]."""
    return Bounded("bounded sum", (low, high), coordinates, math.sqrt(coordinates))


def bounded_mean(low: float, high: float, coordinates: int) -> Bounded:
    """A mean of so many coordinates, each within [low, high]."""
    norm = math.sqrt(coordinates + PRESENT**2)
    return Bounded("bounded mean", (low, high), coordinates + 1, norm)


def bounded_histogram(edges: Sequence[float], most: int) -> Bounded:
    """Counts below the edges, in each bin, and above, of at most so many values a client."""
    return Bounded("bounded histogram", (most, *edges), len(edges) + 1, most)


def bounded_tree(low: float, high: float, depth: int, most: int) -> Bounded:
    """Counts in [low, high], in its halves, and so on to 2^depth parts."""
    norm = most * math.sqrt(depth + 1)
    return Bounded("tree", (most, low, high, depth), 2 ** (depth + 1) - 1, norm)


def _sum(values: Values, numbers: Sequence[float]) -> Values:
    low, high = numbers
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum(axis=0).ravel()
    if not len(values) or np.isnan(total).any():
        return np.zeros(total.size)
    clipped: Values = np.clip(total, low, high) / max(abs(low), abs(high))
    return clipped


def _mean(values: Values, numbers: Sequence[float]) -> Values:
    low, high = numbers
    size = math.prod(values.shape[1:])
    with np.errstate(over="ignore", invalid="ignore"):
        mean = values.reshape(len(values), size).sum(axis=0) / max(len(values), 1)
    if not len(values) or np.isnan(mean).any():
        return np.zeros(size + 1)
    offset = (np.clip(mean, low, high) - (low + high) / 2) / ((high - low) / 2)
    return np.append(offset, PRESENT)


def _histogram(values: Values, numbers: Sequence[float]) -> Values:
    most, *edges = numbers
    return bins(_some(values, int(most)), edges)


def _tree(values: Values, numbers: Sequence[float]) -> Values:
    most, low, high, depth = numbers
    inside = np.clip(_some(values, int(most)), low, high)
    level = bins(inside, np.linspace(low, high, 2 ** int(depth) + 1).tolist())[1:-1]
    levels = [level]
    while level.size > 1:
        level = level.reshape(-1, 2).sum(axis=1)
        levels.append(level)
    return np.concatenate(levels[::-1])


def bins(values: Values, edges: Sequence[float]) -> Values:
    """float64[bins + 2]: how many are below the edges, in each bin, above."""
    below, above = (values < edges[0]).sum(), (values > edges[-1]).sum()
    inside = values[(values >= edges[0]) & (values <= edges[-1])]
    counts, _ = np.histogram(inside, np.array(edges))
    return np.array([below, *counts, above], np.float64)


def _some(values: Values, most: int) -> Values:
    """At most so many of the values that are numbers."""
    numbers = values[~np.isnan(values)]
    if numbers.size <= most:
        return numbers
    return numbers[np.argsort(RandomBits.from_system().words(numbers.size))[:most]]


BOUNDED: Mapping[str, Callable[[Values, Sequence[float]], Values]] = {
    "bounded sum": _sum,
    "bounded mean": _mean,
    "bounded histogram": _histogram,
    "tree": _tree,
}
