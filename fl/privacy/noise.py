"""What one client adds to its integers: a distribution that can be sampled, and its moments.

The noise of a sum is that of its clients together. What one client has to add follows from what the
sum must have and from how many of the shares are certainly in it:

    variance of a share = variance of the sum / (clients − missing)

where `missing` counts the clients that may drop out after they were told their share and those that
may be corrupt and add none. If fewer are missing there is more noise than promised, never less.
"""

from __future__ import annotations

import math
from typing import Protocol

from fl.errors import PrivacyError
from fl.privacy.random_bits import Integers, RandomBits


class Noise(Protocol):
    """The noise of one client, in each coordinate independent; units are those of the integers."""

    @property
    def variance(self) -> float: ...

    def sample(self, count: int, source: RandomBits) -> Integers:
        """`count` independent numbers, int64 (count,)."""

    def log_moment(self, t: float) -> float:
        """A bound of ln E exp(t·Z)."""


def share_variance(variance: float, clients: int, missing: int = 0) -> float:
    """The variance of each client's noise, for that of the sum and so many clients.

    Raises PrivacyError unless the variance is finite and above 0, and 0 <= missing < clients.

    >>> from fl.privacy import share_variance
    >>> share_variance(1000.0, clients=12, missing=2)
    100.0
    """
    if not 0 < variance < math.inf:
        raise PrivacyError(f"a variance of {variance}, expected a finite number above 0")
    if not 0 <= missing < clients:
        raise PrivacyError(
            f"{missing} of {clients} clients without noise, expected at least one with it"
        )
    return variance / (clients - missing)
