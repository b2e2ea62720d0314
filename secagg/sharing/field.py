"""Arithmetic of GF(65521) on arrays, exact: the largest prime field below 2^16.

A product of two elements is below 2^32, so int64 holds it, and float64 holds a sum of up to 2^21 of
them: a matrix product is one BLAS call. All of it is variable-time.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

P: Final = 65521

Field = NDArray[np.int64]
"""Elements of GF(65521), in [0, P)."""


def powers(xs: Field, rows: int) -> Field:
    """x⁰, x¹, …, shape [rows, m]."""
    powers = np.ones((rows, len(xs)), dtype=np.int64)
    for j in range(1, rows):
        powers[j] = powers[j - 1] * xs % P
    return powers


def product(factors: NDArray[np.int64]) -> Field:
    """The product along the last axis, by halves; factors in (−P, P)."""
    factors = factors % P
    while (size := factors.shape[-1]) > 1:
        halves = factors[..., : size // 2] * factors[..., size // 2 : size // 2 * 2] % P
        factors = np.concatenate([halves, factors[..., size // 2 * 2 :]], axis=-1)
    return factors[..., 0]


def inverse(a: Field) -> Field:
    """a^(P−2) = a⁻¹ by Fermat, elementwise."""
    result = np.ones_like(a)
    for bit in f"{P - 2:b}":
        result = result * result % P
        if bit == "1":
            result = result * a % P
    return result


def dot(A: Field, B: Field) -> Field:
    """A·B mod P: float64 holds every sum of up to 2²¹ products exactly, and BLAS is fast."""
    product: NDArray[np.float64] = A.astype(np.float64) @ B.astype(np.float64)
    return product.astype(np.int64) % P
