"""Conditional stochastic rounding: to integers, right on average, and never longer than a bound.

    x̃_i = ⌊x_i⌋ + [U_i < x_i − ⌊x_i⌋],   all drawn again until ‖x̃‖² <= bound²

    bound² = min( (c + √d)², c² + d/4 + √(2 ln 1/β) · (c + √d / 2) ),   c >= ‖x‖, in integer units

Rounding alone could make a vector longer by √d, and the noise would have to cover that. At least
1 − β of the roundings meet the second bound, so that few are repeated; what repeating them does to
the average is at most of that order (Kairouz, Liu and Steinke 2021, 2102.06387, theorem 1 and
proposition 22). The bound is checked in whole numbers, on what is sent: privacy rests on this check
and not on how the vector was clipped or how its floats were rounded before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl.errors import PrivacyError
from fl.privacy.random_bits import Integers, RandomBits
from fl.privacy.sensitivity import Sensitivity

_LONGEST = 2.0**30  # so that the square of a length fits 62 bits
_FLOAT = 1 + 2.0**-40  # what float64 may add to the length of a vector that was clipped


@dataclass(frozen=True)
class ConditionalRounding:
    """Rounds vectors of a dimension and of length at most `length`, in units of the integers.

    beta: the chance, at most, that a rounding is repeated; 0 takes the bound that every rounding
        meets.

    Raises PrivacyError for numbers out of range.

    >>> import numpy as np
    >>> from fl.privacy import ConditionalRounding, RandomBits
    >>> rounding = ConditionalRounding(length=5.0, dimension=2)
    >>> rounding.round(np.array([3.0, -4.0]), RandomBits.from_system()).tolist()
    [3, -4]
    >>> round(rounding.sensitivity.l2, 3)
    5.613
    """

    length: float
    dimension: int
    beta: float = math.exp(-0.5)

    def __post_init__(self) -> None:
        if not 0 <= self.beta < 1:
            raise PrivacyError(f"beta is {self.beta}, expected a number in [0, 1)")
        if not 0 < self.length <= _LONGEST or not 1 <= self.dimension <= _LONGEST:
            raise PrivacyError(
                f"a length of {self.length} in {self.dimension} dimensions, expected a length "
                "above 0 and to 2^30, and 1 to 2^30 dimensions"
            )

    @property
    def squared_bound(self) -> int:
        """The largest ‖x̃‖², a whole number."""
        c, root = self.length, math.sqrt(self.dimension)
        always = (c + root) ** 2
        if self.beta == 0:
            return math.floor(always)
        tail = math.sqrt(2 * math.log(1 / self.beta)) * (c + root / 2)
        return math.floor(min(always, c**2 + self.dimension / 4 + tail))

    @property
    def sensitivity(self) -> Sensitivity:
        """What one client can add to a sum of rounded vectors."""
        return Sensitivity(math.sqrt(max(self.squared_bound, 1)), self.dimension)

    def round(self, vector: NDArray[np.float64], source: RandomBits) -> Integers:
        """The rounded vector, int64 (dimension,). Raises PrivacyError for one of another shape, one
        that is longer, or not finite."""
        if vector.shape != (self.dimension,):
            raise PrivacyError(f"a vector of shape {vector.shape}, expected ({self.dimension},)")
        if not math.sqrt(np.square(vector).sum()) <= self.length * _FLOAT:
            raise PrivacyError(
                f"a vector that is not finite or too long, expected a length of at most "
                f"{self.length}"
            )
        floors = np.floor(vector)
        fractions, whole = vector - floors, floors.astype(np.int64)
        while True:
            rounded = whole + (source.uniform(self.dimension) < fractions)
            # Not rounded @ rounded: a sum of integers is exact whatever its order.
            if int(np.square(rounded).sum()) <= self.squared_bound:
                return rounded
