"""How far one client can move a sum of integer vectors: what noise is measured by.

All lengths are in units of the integers. Neighbours are two rounds of which the second has zeros in
place of one client's vector; where a vector may be replaced by any other, lengths are twice as
large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fl.errors import PrivacyError


@dataclass(frozen=True)
class Sensitivity:
    """The largest vector of one client: its Euclidean length, and how many coordinates it has.

    Raises PrivacyError unless l2 is finite and above 0, and the dimension at least 1.
    """

    l2: float
    dimension: int

    def __post_init__(self) -> None:
        if not 0 < self.l2 < math.inf or self.dimension < 1:
            raise PrivacyError(
                f"an L2 sensitivity of {self.l2} in {self.dimension} dimensions, expected a finite "
                "length above 0 and at least 1 dimension"
            )

    @property
    def l1(self) -> float:
        """A bound of the sum of magnitudes: √d·l2, and l2² since |k| <= k² for integers."""
        return self.l2 * min(math.sqrt(self.dimension), self.l2)
