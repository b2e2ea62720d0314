"""Shamir's secret sharing of 32-byte secrets over GF(65521).

    secret = Σ_d digit_d · 65521^d,   share of x = (f_0(x), ..., f_16(x)),   f_d(0) = digit_d

p = 65521 is the largest prime below 2^16, so a digit of a share is a uint16 and sums of a million
products of two residues are exact in float64: splitting and combining are BLAS products.
Any t shares give the secret, t−1 shares are uniform whatever the secret is (Shamir 1979).  Nothing
here authenticates a share: who reconstructs checks the result against a commitment or a public key.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.sharing.field import Field, P, dot, inverse, powers, product

DIGITS = 17
SECRET_BYTES = 32
SHARE_BYTES = 2 * DIGITS

_ONE_THREAD = 2**18  # multiplications: OpenBLAS uses one thread for a product of no more

Rand = Callable[[int], bytes]


def to_digits(secret: bytes) -> list[int]:
    """32 bytes (a little-endian integer) as 17 base-65521 digits, least significant first."""
    value, digits = int.from_bytes(secret, "little"), []
    for _ in range(DIGITS):
        value, digit = divmod(value, P)
        digits.append(digit)
    return digits


def from_digits(digits: Sequence[int]) -> bytes:
    """Inverse of `to_digits`; RemoteProtocolError if the integer does not fit 32 bytes."""
    value = 0
    for digit in reversed(digits):
        value = value * P + int(digit)
    if value >= 2 ** (8 * SECRET_BYTES):
        raise RemoteProtocolError(
            "the shares combine to a larger number, expected a secret of 32 bytes"
        )
    return value.to_bytes(SECRET_BYTES, "little")


def encode_shares(residues: Field) -> NDArray[np.uint8]:
    """Field [..., 17] as bytes [..., 34], each digit a little-endian uint16."""
    return np.ascontiguousarray(residues, "<u2").view(np.uint8)


def decode_shares(raw: bytes | memoryview | NDArray[np.uint8]) -> Field:
    """Shares laid end to end as residues [count, 17]; RemoteProtocolError for a digit >= p."""
    residues = np.frombuffer(raw, "<u2").reshape(-1, DIGITS)
    if residues.size and residues.max() >= P:
        raise RemoteProtocolError(f"a share has a digit out of range, expected less than {P}")
    return residues.astype(np.int64)


def random_residues(count: int, rand: Rand) -> Field:
    """`count` uniform elements of GF(65521), by rejection from 16-bit words."""
    kept: list[NDArray[np.uint16]] = []
    missing = count
    while missing > 0:
        words = np.frombuffer(rand(2 * missing), "<u2")
        kept.append(words[words < P])
        missing -= len(kept[-1])
    return np.concatenate(kept or [np.empty(0, "<u2")]).astype(np.int64)


def split(secrets: Sequence[bytes], t: int, xs: Field, rand: Rand) -> Field:
    """Shares of each secret for the holders at `xs`: residues of shape [len(xs), len(secrets), 17].

    Args:
        secrets: 32 bytes each.
        t: any t shares combine; the polynomials have degree t−1, leading coefficient zero allowed.
        xs: distinct coordinates in 1..65520.
        rand: returns that many uniform bytes.
    """
    _check_coordinates(xs)
    coefficients = random_residues(t * len(secrets) * DIGITS, rand).reshape(t, -1)
    coefficients[0] = [digit for secret in secrets for digit in to_digits(secret)]
    shares = _product(_vandermonde(xs.tobytes(), t), coefficients.astype(np.float64))
    return np.mod(shares, P).astype(np.int64).reshape(len(xs), len(secrets), DIGITS)


def combine(xs: Field, shares: Field) -> list[bytes]:
    """The secrets behind t shares each: `shares` is [t, secrets, 17], row i the shares at xs[i].

    RemoteProtocolError if one of them is no 32-byte secret.
    """
    return [from_digits(digits) for digits in combine_digits(xs, shares).tolist()]


def combine_digits(xs: Field, shares: Field) -> Field:
    """As `combine`, but the digits [secrets, 17] before they are read as bytes."""
    _check_coordinates(xs)
    flat = shares.reshape(len(xs), -1)
    return dot(lagrange_at_zero(xs), flat).reshape(-1, DIGITS)


def lagrange_at_zero(xs: Field) -> Field:
    """λ_i = Π_{j≠i} x_j / (x_j − x_i) mod p, so that f(0) = Σ λ_i f(x_i) for deg f < len(xs)."""
    return _lagrange_at_zero(xs.tobytes())


@lru_cache(maxsize=4)
def _lagrange_at_zero(xs: bytes) -> Field:
    x = np.frombuffer(xs, np.int64)
    differences = x[None, :] - x[:, None]
    np.fill_diagonal(differences, 1)
    # Π_{j≠i} x_j = (Π_j x_j) / x_i, so one inverse serves both
    coefficients: Field = product(x) * inverse(product(differences) * x % P) % P
    coefficients.flags.writeable = False  # one copy serves all callers
    return coefficients


@lru_cache(maxsize=4)
def _vandermonde(xs: bytes, t: int) -> NDArray[np.float64]:
    """x^j for each holder (row) and j < t: public, and the same for all owners of one clique."""
    return np.ascontiguousarray(powers(np.frombuffer(xs, np.int64), t).T.astype(np.float64))


def _product(A: NDArray[np.float64], B: NDArray[np.float64]) -> NDArray[np.float64]:
    """A·B in pieces so small that BLAS starts no threads: they cost a client more than they bring,
    and clients in several processes would fight for the cores."""
    product = np.empty((len(A), B.shape[1]))
    rows = max(1, _ONE_THREAD // B.size)
    for start in range(0, len(A), rows):
        np.matmul(A[start : start + rows], B, out=product[start : start + rows])
    return product


def _check_coordinates(xs: Field) -> None:
    if len(np.unique(xs)) < len(xs) or np.any((xs < 1) | (xs >= P)):
        raise LocalProtocolError(
            f"share coordinates out of range or twice, expected distinct ones in 1..{P - 1}"
        )
