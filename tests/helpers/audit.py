"""Lower bounds of ε from what an attacker guesses right: what was seen against what is promised.

An attacker looks at a number T that is 0 + noise without a client and 1 + noise with it, and says
"with" where T is above a threshold. An (ε, δ)-private mechanism has, at every threshold,

    P(T > t | with)     <= e^ε · P(T > t | without) + δ
    P(T <= t | without) <= e^ε · P(T <= t | with) + δ

so two rates bound ε from below (Kairouz, Oh and Viswanath 2015; Jagielski, Ullman and Oprea 2020).
Rates are bounded by Clopper and Pearson, all thresholds at once: a bound is too large with
probability `WRONG` at most. Thresholds are fixed before anything is seen.

`least_mu` says more, and of Gaussian noise only: a sum with noise z is μ-GDP with μ = 1/z, which a
threshold in the middle measures best (Nasr et al. 2023).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import beta, norm

WRONG = 1e-10
_STEPS = np.arange(-4, 4.25, 0.5)  # thresholds, in deviations from the middle

Seen = NDArray[np.float64]


def least_epsilon(without: Seen, within: Seen, deviation: float, delta: float) -> float:
    """ε at least, of whatever mechanism; 0 where nothing is seen.

    without, within: T in repeats without and with the client. deviation: of T, as promised.
    """
    least = 0.0
    for taken_wrongly, taken_rightly in _rates(without, within, deviation):
        for much, little in (
            (taken_rightly, taken_wrongly),
            (1 - taken_wrongly, 1 - taken_rightly),
        ):
            if much > delta:
                least = max(least, math.log((much - delta) / little))
    return least


def least_mu(without: Seen, within: Seen, deviation: float) -> float:
    """μ at least, such that the sum is μ-GDP; arguments as of `least_epsilon`."""
    bounds = [
        norm.ppf(taken_rightly) - norm.ppf(taken_wrongly)
        for taken_wrongly, taken_rightly in _rates(without, within, deviation)
    ]
    return max(0.0, *bounds)


def epsilon_of_mu(mu: float, delta: float) -> float:
    """ε of a μ-GDP mechanism, exactly (Balle and Wang 2018; Dong, Roth and Su 2022)."""

    def excess(epsilon: float) -> float:
        tail = epsilon + norm.logcdf(-epsilon / mu - mu / 2)
        return float(norm.cdf(-epsilon / mu + mu / 2) - math.exp(tail) - delta)

    if mu == 0 or excess(0.0) <= 0:
        return 0.0
    return float(brentq(excess, 0.0, mu * mu / 2 + 10 * mu + 1))


def _rates(without: Seen, within: Seen, deviation: float) -> Iterator[tuple[float, float]]:
    """At every threshold, how often "with" is said: at most without the client, at least with."""
    wrong = WRONG / (2 * len(_STEPS))
    for threshold in 0.5 + deviation * _STEPS:
        yield _at_most(without > threshold, wrong), 1 - _at_most(within <= threshold, wrong)


def _at_most(seen: NDArray[np.bool_], wrong: float) -> float:
    """An upper bound of the probability of what was seen so often (Clopper and Pearson 1934)."""
    often, count = int(seen.sum()), len(seen)
    return 1.0 if often == count else float(beta.isf(wrong, often + 1, count - often))
