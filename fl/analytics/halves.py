"""Counts of a range, its halves, its quarters, ..., each with noise: the counts that fit best.

    y = B x + noise      B says which of the 2^depth parts x each count sums up
    x̂ = (BᵀB)⁻¹ Bᵀ y     of all unbiased linear estimates that with the least variance

In two passes over the levels, from the parts to the whole and back, as Hay, Rastogi, Miklau and
Suciu 2010 (0904.0942, theorem 3). A count over many parts is far better by x̂ than by the noisy
parts alone: it makes use of the noisy counts of the halves that it consists of.
"""

from __future__ import annotations

import math

import numpy as np

from fl.analytics.answers import Values


def parts(tree: Values, depth: int) -> Values:
    """x̂, float64 (2^depth,), of counts in the order of the levels, the whole first.

    >>> parts(np.array([10.0, 4.0, 6.0]), 1).tolist()
    [4.0, 6.0]
    >>> parts(np.array([13.0, 4.0, 6.0]), 1).tolist()  # the whole has more, and each gets a third
    [5.0, 7.0]
    """
    levels = [tree[2**level - 1 : 2 ** (level + 1) - 1] for level in range(depth + 1)]
    below = [levels[-1]]  # the best by what is below, from the parts upwards
    for height, level in enumerate(reversed(levels[:-1]), start=2):
        weight = 2 ** (height - 1) / (2**height - 1)
        below.append(weight * level + (1 - weight) * _pairs(below[-1]))
    best = below.pop()
    while below:
        level = below.pop()
        best = level + np.repeat((best - _pairs(level)) / 2, 2)
    return best


def found(tree: Values, q: float, depth: int) -> tuple[int, float]:
    """The part at which the fraction q of the count is reached, by halving; and the deviation of
    the noise in how much is below it or in it, less q of all, for noise of deviation 1."""
    counts = parts(tree, depth)
    up_to = np.concatenate([[0.0], np.cumsum(counts)])
    part, step = 0, 2**depth
    while step > 1:
        step //= 2
        if up_to[part + step] < q * max(up_to[-1], 0.0):
            part += step
    below = (np.arange(2**depth) <= part) - q
    # w·x̂ has the variance w·(BᵀB)⁻¹·w, and Bᵀ leaves w alone where only parts have counts.
    alone = np.concatenate([np.zeros(2**depth - 1), below])
    return part, math.sqrt(float(below @ parts(alone, depth)))


def _pairs(level: Values) -> Values:
    sums: Values = level.reshape(-1, 2).sum(axis=1)
    return sums
