"""Exact samples of the discrete Gaussian: Canonne, Kamath and Steinke 2020 (2004.00010).

    P(k) = exp(−k² / 2σ²) / Σ_j exp(−j² / 2σ²),   k in Z

Their algorithm 3, all coordinates at once: a discrete Laplace number Y of scale t = ⌊σ⌋ + 1 is
kept with probability exp(−(|Y| − σ²/t)² / 2σ²), and drawn again otherwise. Every coin is exact
(`bernoulli`), so the samples are, whatever σ² is: no table is cut off and no probability rounded.

The time a sample takes tells something of its size, as of all rejection samplers: noise is drawn on
the client, where nobody measures it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fl.errors import PrivacyError
from fl.privacy.bernoulli import MARGIN, bernoulli_exp
from fl.privacy.random_bits import Integers, RandomBits

_MOST = 2.0**80
_KEPT = 0.35  # of the proposals, at the least


@dataclass(frozen=True)
class DiscreteGaussianNoise:
    """Noise of parameter σ² = `variance`, in squared units of the integers that it is added to.

    The true variance is a little below σ² (by less than 1e-6 of it, from σ² = 1 on). Raises
    PrivacyError for a variance that is not above 0 and at most 2^80.

    >>> from fl.privacy import DiscreteGaussianNoise, RandomBits
    >>> noise = DiscreteGaussianNoise(100.0).sample(1000, RandomBits.from_system())
    >>> noise.dtype.name, 50 < noise.var() < 150
    ('int64', True)
    """

    variance: float

    def __post_init__(self) -> None:
        if not 0 < self.variance <= _MOST:
            raise PrivacyError(f"a variance of {self.variance}, expected one above 0 and to 2^80")

    def sample(self, count: int, source: RandomBits) -> Integers:
        """`count` independent numbers, int64 (count,)."""
        parts, missing = [np.zeros(0, np.int64)], count
        while missing > 0:
            kept = _proposed(Fraction(self.variance), int(missing / _KEPT) + 16, source)
            parts.append(kept[:missing])
            missing -= len(parts[-1])
        return np.concatenate(parts)

    def log_moment(self, t: float) -> float:
        """σ²t² / 2, that of the Gaussian, which is a bound (Canonne et al., lemma 4)."""
        return self.variance * t * t / 2


def _proposed(
    variance: Fraction, count: int, source: RandomBits, margin: float = MARGIN
) -> Integers:
    """What is kept of `count` proposals."""
    scale = math.isqrt(math.floor(variance)) + 1
    proposals = _discrete_laplace(scale, count, source, margin)
    sizes = np.abs(proposals)

    def exact(index: int) -> Fraction:
        return (int(sizes[index]) - variance / scale) ** 2 / (2 * variance)

    gamma = (sizes - float(variance / scale)) ** 2 / (2 * float(variance))
    kept: Integers = proposals[bernoulli_exp(gamma, exact, source, margin)]
    return kept


def _discrete_laplace(scale: int, count: int, source: RandomBits, margin: float) -> Integers:
    """What is kept of `count` proposals, with probabilities as exp(−|k| / scale).

    Algorithm 2 of the paper: |k| = U + scale·V, U below scale with weight exp(−U / scale), V with
    weight exp(−V), and of the two zeros the negative one is not kept.
    """
    rests = source.below(scale, count)
    coins = bernoulli_exp(rests / scale, lambda i: Fraction(int(rests[i]), scale), source, margin)
    rests = rests[coins]
    sizes = rests + scale * _geometric(len(rests), source, margin)
    negative = source.signs(len(sizes)) < 0
    kept: Integers = np.where(negative, -sizes, sizes)[~(negative & (sizes == 0))]
    return kept


def _geometric(count: int, source: RandomBits, margin: float) -> Integers:
    """How many coins of probability 1/e come up one after the other, int64 (count,)."""
    successes = np.zeros(count, np.int64)
    running: NDArray[np.intp] = np.arange(count)
    while running.size:
        ones = np.ones(running.size)
        running = running[bernoulli_exp(ones, lambda _: Fraction(1), source, margin)]
        successes[running] += 1
    return successes
