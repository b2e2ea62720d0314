"""A random rotation that all clients share, so that no coordinate of an update stands out.

    y = R x,   R = (I ⊕ H·S₂) · (H·S₁ ⊕ I),   ‖y‖ = ‖x‖

H is the Walsh–Hadamard matrix of size B, the largest power of two in the dimension d, divided by
√B; S₁ and S₂ are random signs. The first block is the first B coordinates, the second one the last
B. They overlap (2B > d), so there is no padding at all, where one block of a power of two needs up
to twice as many coordinates; and every coordinate of y is a sum of at least B parts with signs of
their own:

    each coordinate of R x is sub-Gaussian with variance proxy ‖x‖² / B,   B > d / 2

(Hoeffding; for the coordinates of the second block, given the first signs.) That bounds what a sum
of integers needs in bits (`word_size`). R is linear: the sum of rotated updates is the rotated sum.
Privacy does not rest on it, and its seed is public.

Suresh, Yu, Kumar and McMahan 2017 (1611.00429); in this use Kairouz, Liu and Steinke 2021.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl.errors import PrivacyError
from fl.privacy.random_bits import RandomBits

_LABEL = b"rotation"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rotation:
    """The rotation of vectors of a dimension by a seed, the same for all clients of a round.

    Raises PrivacyError for a dimension below 1.

    >>> import numpy as np
    >>> from fl.privacy import Rotation
    >>> rotation = Rotation(dimension=4, seed=b"round 7")
    >>> y = rotation.forward(np.array([2.0, 0, 0, 0]))
    >>> np.abs(y).tolist(), rotation.inverse(y).round(12).tolist()
    ([1.0, 1.0, 1.0, 1.0], [2.0, 0.0, 0.0, 0.0])
    """

    dimension: int
    seed: bytes

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise PrivacyError(f"a dimension of {self.dimension}, expected at least 1")

    @property
    def size(self) -> int:
        """Of an update, which is that of what it is rotated to."""
        return self.dimension

    def reach(self, norm: float) -> float:
        """How long a rotated vector of this norm is: as long."""
        return norm

    @property
    def block(self) -> int:
        """B, how many coordinates a Hadamard matrix mixes."""
        return int(2 ** (self.dimension.bit_length() - 1))

    def forward(self, vector: NDArray[np.floating]) -> Floats:
        """R x, float64 (dimension,). Raises PrivacyError for another shape."""
        rotated, room = self._copied(vector), self._room()
        for block, signs in zip(self._blocks(rotated), self._signs(), strict=True):
            np.multiply(block, signs, out=room[0])
            block[:] = _mixed(*room)
        return rotated

    def inverse(self, rotated: NDArray[np.floating]) -> Floats:
        """R⁻¹ y, float64 (dimension,), exact but for the rounding of float64. Raises PrivacyError
        for another shape."""
        vector, room = self._copied(rotated), self._room()
        for block, signs in zip(self._blocks(vector)[::-1], self._signs()[::-1], strict=True):
            room[0][:] = block
            np.multiply(_mixed(*room), signs, out=block)
        return vector

    def _copied(self, vector: NDArray[np.floating]) -> Floats:
        if vector.shape != (self.dimension,):
            raise PrivacyError(f"a vector of shape {vector.shape}, expected ({self.dimension},)")
        return vector.astype(np.float64)

    def _signs(self) -> list[Floats]:
        """S₁, and S₂ where there are two blocks."""
        source = RandomBits.seeded(_LABEL + self.seed)
        return [source.signs(self.block) for _ in range(1 + (self.block < self.dimension))]

    def _blocks(self, vector: Floats) -> list[Floats]:
        """Views of the first and of the last block; one where it is all of the vector."""
        blocks = [vector[: self.block], vector[self.dimension - self.block :]]
        return blocks if self.block < self.dimension else blocks[:1]

    def _room(self) -> tuple[Floats, Floats]:
        # Taken once: fresh memory costs as much as a pass over it.
        return np.empty(self.block), np.empty(self.block)


def hadamard(vector: Floats) -> Floats:
    """The Walsh–Hadamard transform, divided by the root of the size, which is a power of two. Its
    own inverse."""
    return _mixed(vector.copy(), np.empty(len(vector)))


def _mixed(current: Floats, other: Floats) -> Floats:
    """The transform of `current`, in one of the two arrays, which are overwritten.

    In log₂(size) passes, each of which reads two halves and writes their sums and differences side
    by side: after the last one the coordinates are in their natural order again.
    """
    size = len(current)
    current *= 1 / math.sqrt(size)
    for _ in range(size.bit_length() - 1):
        low, high = current[: size // 2], current[size // 2 :]
        np.add(low, high, out=other[0::2])
        np.subtract(low, high, out=other[1::2])
        current, other = other, current
    return current
