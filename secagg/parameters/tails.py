"""Exact tails of the hypergeometric distribution, in log2.

    Pr[X = i] = C(M, i) · C(N−M, d−i) / C(N, d)        X marked ones among d drawn from N, M marked

Everything is a sum of logarithms, so a tail of 2^-1000 is as accurate as one of 2^-1: the error is
below 2^-20 bits for N up to 65520 (tests compare with exact fractions).  No approximation and no
Chernoff bound: those would cost a tenth of the neighbours.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Logs = NDArray[np.float64]


@dataclass(frozen=True)
class Hypergeometric:
    """How many of `drawn` clients are marked, drawn without replacement from `population`."""

    population: int
    marked: int
    drawn: int

    def log2_above(self, x: int) -> float:
        """log2 Pr[X > x]; -inf where that cannot happen."""
        index = x + 1 - self._least()
        if index <= 0:
            return 0.0
        tail = self._tail()
        return float(tail[index]) if index < len(tail) else -math.inf

    def log2_below(self, y: int) -> float:
        """log2 Pr[X < y]: fewer than y marked is more than drawn − y unmarked."""
        return self._unmarked().log2_above(self.drawn - y)

    def least_bound(self, limit: float) -> int:
        """The least x with log2 Pr[X > x] ≤ limit, for a limit below 0."""
        within = np.flatnonzero(self._tail() <= limit)
        steps = int(within[0]) if len(within) else len(self._tail())
        return self._least() + steps - 1

    def largest_floor(self, limit: float) -> int:
        """The largest y with log2 Pr[X < y] < limit, for a limit below 0."""
        within = np.flatnonzero(self._unmarked()._tail() < limit)
        steps = int(within[0]) if len(within) else len(self._unmarked()._tail())
        return self.drawn + 1 - (self._unmarked()._least() + steps)

    def _unmarked(self) -> "Hypergeometric":
        return Hypergeometric(self.population, self.population - self.marked, self.drawn)

    def _least(self) -> int:
        return max(0, self.drawn - (self.population - self.marked))

    def _tail(self) -> Logs:
        return _tail(self.population, self.marked, self.drawn)


@lru_cache(maxsize=64)
def _tail(population: int, marked: int, drawn: int) -> Logs:
    """log2 Pr[X ≥ i] for every i of the support, ascending; summed from the small end."""
    unmarked = population - marked
    i = np.arange(max(0, drawn - unmarked), min(drawn, marked) + 1)
    logs = (
        _log2_binomial(marked, i)
        + _log2_binomial(unmarked, drawn - i)
        - _log2_binomial(population, np.array([drawn]))
    )
    return np.minimum(np.logaddexp2.accumulate(logs[::-1])[::-1], 0.0)


def _log2_binomial(n: int, i: NDArray[np.int64]) -> Logs:
    f = log2_factorials(n)
    logs: Logs = f[n] - f[i] - f[n - i]
    return logs


@lru_cache(maxsize=8)
def log2_factorials(n: int) -> Logs:
    """log2(i!) for i = 0..n."""
    return np.array([math.lgamma(i + 1) for i in range(n + 1)]) / math.log(2)
