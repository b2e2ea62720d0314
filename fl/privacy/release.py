"""One noisy sum, as accounts see it, and what several of them cost together.

    ε(α) of all = Σ ε(α) of each            (Rényi composition, whatever was chosen in between)

The Gaussian mechanism is accounted at fractional orders too, by `dp-accounting`; the integer ones
have theirs at whole orders (`mechanisms`), and so has any mixture.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl.errors import PrivacyError
from fl.privacy.mechanisms import Mechanism, Name, mechanism_of
from fl.privacy.sensitivity import Sensitivity
from fl.privacy.subsampling import ORDERS, sampled_rdp

_BETWEEN = tuple(1 + tenth / 10 for tenth in range(1, 100) if tenth % 10)
ALL_ORDERS = np.array([*_BETWEEN, *ORDERS])
"""Fractional orders first, at which the integer mechanisms have no bound."""

Rdp = NDArray[np.float64]


@dataclass(frozen=True)
class Release:
    """A sum that was released with noise.

    noise_multiplier: z of the whole sum.
    shares: of how many clients' noise.
    l2, dimension: the sensitivity in units of the integers, of the integer mechanisms.
    """

    mechanism: Name
    noise_multiplier: float
    shares: int = 1
    l2: float = 1.0
    dimension: int = 1

    @classmethod
    def of(cls, report: Mapping[str, Any], promised: bool = False) -> Release:
        """What a round reported under "noise".

        promised: as it was promised before the round, and not as it was.

        Raises PrivacyError for a report without one of these.
        """
        try:
            multiplier = float(report["promised" if promised else "noise_multiplier"])
            shares, l2, dimension = (report[name] for name in ("shares", "l2", "dimension"))
            return cls(report["mechanism"], multiplier, int(shares), float(l2), int(dimension))
        except (KeyError, TypeError, ValueError) as error:
            raise PrivacyError(
                f"no report of noise ({error}), expected that of a round's metrics"
            ) from error

    @property
    def parts(self) -> Mechanism:
        """The mechanism. Raises PrivacyError for numbers out of range."""
        sensitivity = Sensitivity(self.l2, self.dimension)
        return mechanism_of(self.mechanism, self.noise_multiplier, sensitivity, self.shares)

    def rdp(self) -> Rdp:
        """ε(α) for whoever's vector is certainly in the sum, at `ALL_ORDERS`; infinite where there
        is no bound."""
        return _rdp(self)


@lru_cache(maxsize=512)
def _rdp(release: Release) -> Rdp:
    whole = sampled_rdp(release.parts, 1.0)
    gaussian = release.mechanism == "gaussian"
    between = [
        order / (2 * release.noise_multiplier**2) if gaussian else math.inf for order in _BETWEEN
    ]
    return np.array([*between, *whole])


def epsilon_of(rdp: Rdp, delta: float) -> float:
    """ε at this δ, of ε(α) at `ALL_ORDERS`. Raises PrivacyError without `dp-accounting`."""
    bounded = np.isfinite(rdp)
    accounting = dp_accounting()
    return float(accounting.rdp.compute_epsilon(ALL_ORDERS[bounded], rdp[bounded], delta)[0])


def composed(releases: Mapping[Release, int], rate: float, delta: float) -> float:
    """ε of so many releases of each kind, for a client that is in each with this probability,
    secretly (`subsampling`). Raises PrivacyError."""
    if not releases:
        return 0.0
    if rate == 1:  # as a ledger has it, so that a budget is met by both or by neither
        whole = (count * release.rdp() for release, count in releases.items())
        return epsilon_of(sum(whole, np.zeros(len(ALL_ORDERS))), delta)
    if all(release.mechanism == "gaussian" for release in releases):
        return _of_gaussians(releases, rate, delta)
    rdp = sum(
        (count * sampled_rdp(release.parts, rate) for release, count in releases.items()),
        np.zeros(len(ORDERS)),
    )
    return float(dp_accounting().rdp.compute_epsilon(ORDERS, rdp, delta)[0])


def _of_gaussians(releases: Mapping[Release, int], rate: float, delta: float) -> float:
    """By dp-accounting alone."""
    accounting = dp_accounting()
    accountant = accounting.rdp.RdpAccountant()
    for release, count in releases.items():
        release.parts  # noqa: B018 - refuses numbers out of range
        gaussian = accounting.GaussianDpEvent(release.noise_multiplier)
        event = accounting.PoissonSampledDpEvent(rate, gaussian)
        with _quietly():
            accountant.compose(accounting.SelfComposedDpEvent(event, count))
    return float(accountant.get_epsilon(delta))


@contextmanager
def _quietly() -> Iterator[None]:
    """Without a line for each order that the library leaves out, which makes ε no smaller."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def dp_accounting() -> Any:
    """The library, which is optional. Raises PrivacyError without it."""
    try:
        import dp_accounting
        import dp_accounting.rdp
    except ImportError:
        raise PrivacyError(
            "dp-accounting is not installed, expected the extra `privacy`: "
            "pip install 'secagg[privacy]'"
        ) from None
    return dp_accounting
