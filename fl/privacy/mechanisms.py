"""Rényi differential privacy of one noisy sum, by its order.

    gaussian            ε(α) = α / 2z²
    discrete gaussian   ε(α) = min( α·l²/2 + τ·d,  α/2·(l² + 2·m·τ + τ²·d),  α/2·(l + √d·τ)² )
                        l = Δ₂/√(n·σ²),  m = Δ₁/√(n·σ²),
                        τ = 10·Σ_{k=1}^{n−1} exp(−2π²·σ²·k/(k+1))
    Skellam             ε(α) = α·Δ₂²/2μ + min( ((2α − 1)·Δ₂² + 6·Δ₁) / 4μ²,  3·Δ₁/2μ )

n discrete Gaussians of parameter σ² are no discrete Gaussian; τ bounds by how much, and is nothing
from σ = 2 on (Kairouz, Liu and Steinke 2021, 2102.06387, proposition 14). A sum of Skellam noises
is Skellam noise, of their variance μ together (Agarwal, Kairouz and Liu 2021, 2110.04995, corollary
3.6). Δ₂ and Δ₁ are the lengths of an integer vector, μ and σ² are in squared units of the integers.
Orders are integers above 1. The tests compare both with sums over all integers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from fl.errors import PrivacyError
from fl.privacy.sensitivity import Sensitivity

Name = Literal["gaussian", "discrete_gaussian", "skellam"]


class Mechanism(Protocol):
    """A noisy sum. Its noise is symmetric, and the same whatever is summed."""

    def rdp(self, order: int) -> float:
        """ε(order), for both directions of neighbours."""


@dataclass(frozen=True)
class Gaussian:
    """Continuous noise of standard deviation noise_multiplier·(L2 sensitivity)."""

    noise_multiplier: float

    def rdp(self, order: int) -> float:
        """ε(order)."""
        return order / (2 * self.noise_multiplier**2)


@dataclass(frozen=True)
class DiscreteGaussianSum:
    """The sum of `shares` discrete Gaussians of parameter σ² = share_variance."""

    sensitivity: Sensitivity
    share_variance: float
    shares: int

    @cached_property
    def tau(self) -> float:
        """τ, how far the sum is from one discrete Gaussian."""
        exponent = 2 * math.pi**2 * self.share_variance
        return 10 * sum(math.exp(-exponent * k / (k + 1)) for k in range(1, self.shares))

    def rdp(self, order: int) -> float:
        """ε(order)."""
        deviation = math.sqrt(self.shares * self.share_variance)
        l2, l1 = self.sensitivity.l2 / deviation, self.sensitivity.l1 / deviation
        tau, d = self.tau, self.sensitivity.dimension
        return min(
            order * l2**2 / 2 + tau * d,
            order / 2 * (l2**2 + 2 * l1 * tau + tau**2 * d),
            order / 2 * (l2 + math.sqrt(d) * tau) ** 2,
        )


@dataclass(frozen=True)
class SkellamSum:
    """Skellam noise of a variance, that of all shares together."""

    sensitivity: Sensitivity
    variance: float

    def rdp(self, order: int) -> float:
        """ε(order)."""
        squared, l1, mu = self.sensitivity.l2**2, self.sensitivity.l1, self.variance
        exact = ((2 * order - 1) * squared + 6 * l1) / (4 * mu**2)
        return order * squared / (2 * mu) + min(exact, 3 * l1 / (2 * mu))


def mechanism_of(
    name: Name, noise_multiplier: float, sensitivity: Sensitivity | None, shares: int
) -> Mechanism:
    """The mechanism whose sum has noise of z·Δ₂, of so many shares.

    Raises PrivacyError for an unknown name, numbers out of range, and for an integer mechanism
    without a sensitivity.
    """
    if not 0 < noise_multiplier < math.inf or shares < 1:
        raise PrivacyError(
            f"a noise multiplier of {noise_multiplier} in {shares} shares, expected a finite "
            "number above 0 in at least 1 share"
        )
    if name == "gaussian":
        return Gaussian(noise_multiplier)
    if name not in _OF_INTEGERS:
        raise PrivacyError(
            f"mechanism {name!r}, expected one of gaussian, {', '.join(_OF_INTEGERS)}"
        )
    if sensitivity is None:
        raise PrivacyError(
            f"no sensitivity for mechanism {name!r}, expected that of the rounded updates "
            "(NoisyEncoding.sensitivity)"
        )
    return _OF_INTEGERS[name](sensitivity, (noise_multiplier * sensitivity.l2) ** 2, shares)


class _OfIntegers(Protocol):
    def __call__(self, sensitivity: Sensitivity, variance: float, shares: int) -> Mechanism: ...


def _discrete_gaussian(sensitivity: Sensitivity, variance: float, shares: int) -> Mechanism:
    return DiscreteGaussianSum(sensitivity, variance / shares, shares)


def _skellam(sensitivity: Sensitivity, variance: float, shares: int) -> Mechanism:
    return SkellamSum(sensitivity, variance)


_OF_INTEGERS: Mapping[str, _OfIntegers] = {
    "discrete_gaussian": _discrete_gaussian,
    "skellam": _skellam,
}
