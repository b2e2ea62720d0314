"""Some coordinates of a rotated vector, the same for all clients: fewer words for the same update.

    y = (R x)_K,   K a random set of k of the d coordinates          x' = (d / k) · R⁻¹ (y on K)

R spreads every update over all coordinates, so those of K stand for the others: x' is x on average
over K, with an error of (d/k − 1)·‖x‖² in all. The set follows from the seed and is public, so sums
of kept coordinates are kept coordinates of sums. Privacy does not rest on it.

Suresh et al. 2017 (1611.00429); with noise Chen, Özgür and Kairouz 2022 (2203.03761).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fl.errors import PrivacyError
from fl.privacy.random_bits import RandomBits
from fl.privacy.rotation import Floats, Rotation

_LABEL = b"kept"


class Projection(Protocol):
    """A linear map of updates, of `size` numbers, to `dimension` of them, and back.

    block: each coordinate of a mapped vector is sub-Gaussian with variance proxy ‖x‖² / block.
    """

    @property
    def size(self) -> int: ...

    @property
    def dimension(self) -> int: ...

    @property
    def block(self) -> int: ...

    def reach(self, norm: float) -> float:
        """How long a mapped vector is, of one of this norm, but for a few of them."""

    def forward(self, vector: NDArray[np.floating]) -> Floats:
        """float64 (size,) -> float64 (dimension,). Raises PrivacyError for another shape."""

    def inverse(self, mapped: NDArray[np.floating]) -> Floats:
        """float64 (dimension,) -> float64 (size,), right on average."""


@dataclass(frozen=True)
class Kept:
    """`dimension` of the coordinates that a rotation gives.

    Raises PrivacyError for more than there are, or fewer than one.

    >>> import numpy as np
    >>> from fl.privacy import Kept, Rotation
    >>> kept = Kept(Rotation(1000, b"round 7"), 250)
    >>> kept.forward(np.ones(1000)).shape, kept.inverse(np.ones(250)).shape
    ((250,), (1000,))
    """

    rotation: Rotation
    dimension: int

    def __post_init__(self) -> None:
        if not 1 <= self.dimension <= self.rotation.dimension:
            raise PrivacyError(
                f"{self.dimension} coordinates kept, expected 1..{self.rotation.dimension}"
            )

    @property
    def size(self) -> int:
        """Of an update."""
        return self.rotation.size

    @property
    def block(self) -> int:
        """As of the rotation."""
        return self.rotation.block

    def reach(self, norm: float) -> float:
        """√(k/d)·norm, and three deviations more: what is longer is to be clipped again."""
        share = math.sqrt(self.dimension / self.size)
        return norm * min(1.0, share * (1 + 3 / math.sqrt(self.dimension)))

    def forward(self, vector: NDArray[np.floating]) -> Floats:
        """The kept coordinates. Raises PrivacyError for another shape."""
        kept: Floats = self.rotation.forward(vector)[self._places]
        return kept

    def inverse(self, mapped: NDArray[np.floating]) -> Floats:
        """A vector that is right on average. Raises PrivacyError for another shape."""
        if mapped.shape != (self.dimension,):
            raise PrivacyError(f"a vector of shape {mapped.shape}, expected ({self.dimension},)")
        rotated = np.zeros(self.size)
        rotated[self._places] = mapped * (self.size / self.dimension)
        return self.rotation.inverse(rotated)

    @cached_property
    def _places(self) -> NDArray[np.intp]:
        words = RandomBits.seeded(_LABEL + self.rotation.seed).words(self.size)
        return np.sort(np.argsort(words, kind="stable")[: self.dimension])


def projection(size: int, keep: float, seed: bytes) -> Projection:
    """The rotation of updates of this size, or the part `keep` of its coordinates."""
    if not 0 < keep <= 1:
        raise PrivacyError(f"keep is {keep}, expected above 0 and at most 1")
    rotation = Rotation(size, seed)
    return rotation if keep == 1 else Kept(rotation, max(1, math.ceil(keep * size)))
