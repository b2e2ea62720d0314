"""Coins that come up with probability exp(−γ), exactly, and a million of them at once.

    coin = [U < exp(−γ)],   U uniform in [0, 1)

U is drawn bit by bit, as far as it takes: its first 64 bits are compared with the exponential in
floating point, and where these are closer than `margin`, which is far above all errors of rounding,
the comparison is made again with whole numbers and with as many further bits as decide it. So the
coin is that of the real number exp(−γ), not of a float near it, and almost all coins cost one
floating-point exponential (with the margin of 2^-40 one in 2^39 is decided the slow way).

Canonne, Kamath and Steinke (2020, algorithm 1) make such coins of several coins of rational
probability each; the result has the same distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fl.privacy.random_bits import RandomBits

MARGIN = 2.0**-40

Coins = NDArray[np.bool_]


def bernoulli_exp(
    gamma: NDArray[np.float64],
    exact: Callable[[int], Fraction],
    source: RandomBits,
    margin: float = MARGIN,
) -> Coins:
    """For each γ >= 0 a coin that is true with probability exp(−γ), bool (count,).

    Args:
        gamma: float64 (count,), near enough that exp(−γ) is within margin / 2 of the exact one.
        exact: the exact γ at an index.
        margin: how near to the probability the exact comparison begins. Not for users: tests make
            it large, so that the exact way is taken often.
    """
    words = source.words(len(gamma))
    distance = words * 2.0**-64 - np.exp(-gamma)
    coins = distance < 0
    for index in np.flatnonzero(np.abs(distance) <= margin):
        coins[index] = below_exp(int(words[index]), exact(int(index)), source)
    return coins


def below_exp(word: int, gamma: Fraction, source: RandomBits) -> bool:
    """Whether U < exp(−γ), where the first 64 bits of U are given and the others are drawn."""
    bits, numerator = 64, word
    while True:
        low, high = _exp_between(gamma, bits + 16)
        if Fraction(numerator + 1, 2**bits) <= low:
            return True
        if Fraction(numerator, 2**bits) >= high:
            return False
        numerator = numerator << 64 | source.integer(64)
        bits += 64


def _exp_between(gamma: Fraction, bits: int) -> tuple[Fraction, Fraction]:
    """Two numbers around exp(−γ), within about 2^-bits of each other."""
    if gamma == 0:
        return Fraction(1), Fraction(1)
    digits = bits // 3 + 10
    context = Context(prec=digits, Emin=-(10**9), Emax=10**9)
    exponent = context.divide(Decimal(gamma.numerator), Decimal(gamma.denominator))
    exponential = Fraction(context.exp(-exponent))
    # Both are correctly rounded to `digits` digits: relative errors of 10^(1 - digits) / 2 in γ and
    # in the exponential, and an error of γ counts γ·exp(−γ) <= 1.
    error = Fraction(1, 10 ** (digits - 2))
    return max(exponential - error, Fraction(0)), exponential + error
