"""Exact distributions on the integers, by sums over all that have weight, and how samples fit."""

from decimal import Decimal, getcontext
from math import sqrt

import numpy as np
from scipy.special import gammaln, logsumexp

getcontext().prec = 60


def discrete_gaussian(variance, reach):
    """ln P(k) for k in −reach..reach."""
    weights = -(np.arange(-reach, reach + 1.0) ** 2) / (2 * variance)
    return weights - logsumexp(weights)


def poisson(mean, most):
    """ln P(k) for k in 0..most."""
    k = np.arange(most + 1.0)
    return k * np.log(mean) - mean - gammaln(k + 1)


def skellam(variance, reach):
    """ln P(k) for k in −reach..reach: k is the difference of two Poisson numbers."""
    one = poisson(variance / 2, int(reach + variance + 40 * sqrt(variance) + 200))
    half = [logsumexp(one[k:] + one[: len(one) - k]) for k in range(reach + 1)]
    return np.array([*half[:0:-1], *half])


def convolved(first, second):
    """ln of the distribution of a sum of two."""
    total = np.full(len(first) + len(second) - 1, -np.inf)
    for i, weight in enumerate(first):
        total[i : i + len(second)] = np.logaddexp(total[i : i + len(second)], weight + second)
    return total


def renyi(order, log_p, log_q):
    """The Rényi divergence of an order."""
    both = np.isfinite(log_p) & np.isfinite(log_q)
    return logsumexp(order * log_p[both] + (1 - order) * log_q[both]) / (order - 1)


def shifted(log_p, by):
    """(ln P(k − by), ln P(k)) at all k where both are known."""
    return (log_p[: len(log_p) - by], log_p[by:]) if by else (log_p, log_p)


def fits(samples, log_p, reach):
    """Whether Pearson's statistic is within five deviations; of −reach..reach, and the rest.

    Numbers that are expected less than 20 times are counted together.
    """
    inside = samples[np.abs(samples) <= reach] + reach
    counts = np.bincount(inside, minlength=2 * reach + 1).astype(float)
    expected = len(samples) * np.exp(log_p)
    often = expected >= 20
    rest = len(samples) - counts[often].sum(), len(samples) - expected[often].sum()
    statistic = ((counts[often] - expected[often]) ** 2 / expected[often]).sum()
    statistic += (rest[0] - rest[1]) ** 2 / max(rest[1], 1)
    freedom = often.sum()
    return statistic < freedom + 5 * sqrt(2 * freedom) + 5


def exponential(gamma):
    """exp(−γ) of a Fraction, to 60 digits."""
    return (-Decimal(gamma.numerator) / Decimal(gamma.denominator)).exp()
