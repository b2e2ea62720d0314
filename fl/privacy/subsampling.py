"""What it is worth that a client takes part in a round only with a probability q, and secretly.

    ε_q(α) = ln( Σ_{l=0..α} C(α,l)·(1−q)^(α−l)·q^l·exp((l−1)·ε(l)) ) / (α − 1),   ε(0) = ε(1) = 0

Why.  Let P be the noise around the sum of the others, and Q that around the sum with the client's
vector. Without the client the round gives P, with it (1−q)·P + q·Q. By the binomial theorem, the
exponential of (α−1)·D_α((1−q)·P + q·Q ‖ P) is the sum above with (l−1)·D_l(Q ‖ P) in place of
(l−1)·ε(l). The noise is symmetric, so a reflection changes P for Q, and then the other direction is
not larger (Mironov, Talwar and Zhang 2019, 1908.10530, theorem 5; a sum over integers in place of
the integral changes nothing). Random rounding makes Q a mixture, and a divergence of mixtures with
the same weights is at most the largest of their parts. For mechanisms in general a factor of 3 is
needed (Zhu and Wang 2019, theorem 5); here it is not, and for the Gaussian this is the value that
`dp-accounting` has for integer orders.

What it needs, all of it; docs/privacy.md says what of it does not hold and when:

- every client is drawn with probability q by a coin of its own (`fl.population.Poisson`);
- whoever the promise is made against knows neither the coins nor who took part, nor how many;
- the noise of the sum does not depend on whether the client takes part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fl.errors import PrivacyError
from fl.population import Poisson, Sampler
from fl.privacy.mechanisms import Mechanism

ORDERS: Sequence[int] = (*range(2, 129), 160, 192, 256, 384, 512)


def hidden_rate(sampler: Sampler) -> float:
    """q as the theorem above may use it: 1.0, which is no amplification, for all but Poisson.

    `Uniform` draws a fixed number, and over-asks, and takes those that are ready first; `Fixed`
    draws nothing. Conditions of a fleet do no harm to `Poisson`: who is not eligible has the rate
    0.

    >>> import fl
    >>> from fl.privacy import hidden_rate
    >>> hidden_rate(fl.population.Poisson(0.03)), hidden_rate(fl.population.Uniform(100))
    (0.03, 1.0)
    """
    return sampler.rate if isinstance(sampler, Poisson) else 1.0


def sampled_rdp(
    mechanism: Mechanism, rate: float, orders: Sequence[int] = ORDERS
) -> NDArray[np.float64]:
    """ε_q at each order, float64 (len(orders),), for a symmetric mechanism and q = rate.

    Never above that without sampling. Raises PrivacyError for a rate outside (0, 1].
    """
    if not 0 < rate <= 1:
        raise PrivacyError(f"a rate of {rate}, expected a number above 0 and at most 1")
    whole = np.array([0.0, 0.0, *(mechanism.rdp(order) for order in range(2, max(orders) + 1))])
    taken = np.array([whole[order] for order in orders])
    if rate == 1:
        return taken
    amplified = np.array([_amplified(whole, rate, order) for order in orders])
    least: NDArray[np.float64] = np.minimum(taken, amplified)
    return least


def _amplified(whole: NDArray[np.float64], rate: float, order: int) -> float:
    """ε_q(order), from ε(0), ε(1), ..., ε(order)."""
    taken = np.arange(order + 1)
    terms = (
        _LOG_FACTORIALS[order] - _LOG_FACTORIALS[taken] - _LOG_FACTORIALS[order - taken]
        + (order - taken) * math.log1p(-rate)
        + taken * math.log(rate)
        + (taken - 1) * whole[: order + 1]
    )  # fmt: skip
    # What rounding takes from a sum that is hardly more than 1 is not to become a negative ε.
    return max(float(np.logaddexp.reduce(terms)), 0.0) / (order - 1)


_LOG_FACTORIALS = np.array([math.lgamma(k + 1) for k in range(max(ORDERS) + 1)])
