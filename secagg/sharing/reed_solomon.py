"""The secret behind m shares of which some are wrong: Reed–Solomon decoding over GF(65521).

    share of holder i = f(xᵢ), deg f < t;   Sⱼ = Σᵢ vᵢ·xᵢʲ·shareᵢ,   vᵢ = ∏_{k≠i} (xᵢ − x_k)⁻¹
    all shares lie on one f of degree < t   ⇔   S₀ = … = S_{m−t−1} = 0
    wrong shares at the xᵢ, i ∈ E           ⇒   the S obey the recurrence Λ(z) = ∏_{i∈E} (1 − xᵢ·z)

Massey's algorithm finds Λ whenever |E| ≤ ⌊(m−t)/2⌋ (J. L. Massey, "Shift-register synthesis and BCH
decoding", 1969; for these v, R. M. Roth, "Introduction to Coding Theory", 2006, chapters 5 and 6).
A secret has several digits, and a holder is wrong if any digit of its share is. So one digit is
decoded, its wrong holders are left out, and the rest are checked on every digit; a digit that still
does not fit is decoded next. There is no random or fixed combination of digits that an error could
cancel in. It needs O(m²) memory, and does not decode beyond the radius (no list decoding).
"""

import numpy as np
from numpy.typing import NDArray

from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.sharing.field import Field, P, dot, inverse, powers, product


def correct(
    xs: NDArray[np.int64], shares: NDArray[np.uint16] | Field, t: int
) -> tuple[Field, NDArray[np.int64]]:
    """The digits f_d(0), shape [digits], and the rising indices into xs of the wrong shares.

    xs: distinct x-coordinates in 1..P−1, shape [m]; shares: f_d(x) in [0, P), shape [m, digits];
    1 ≤ t ≤ m. Anything else is a LocalProtocolError: sort out malformed shares on arrival.

    It returns if and only if there are polynomials of degree < t on which all but at most
    ⌊(m−t)/2⌋ shares lie in every digit; there is one such choice, and this is it. Otherwise
    RemoteProtocolError. Proof: let E be the wrong holders, |E| ≤ ⌊(m−t)/2⌋, of whom W ⊆ E are
    left out. Then m − |W| shares stay, and ⌊(m−|W|−t)/2⌋ ≥ |E| − |W|, so the next digit decodes
    too, to members of E only; and what is returned has been checked on all digits.

    More wrong holders than that are not always noticed: m − t + 1 − ⌊(m−t)/2⌋ of them that conspire
    can move the shares to within the radius of another secret. Only the commitment to the secret
    can tell, so the caller checks the result against it.
    """
    _check(xs, shares, t)
    xs, shares = xs.astype(np.int64), shares.astype(np.int64)
    spare, radius = len(xs) - t, (len(xs) - t) // 2
    rows = powers(xs, spare)
    weights = inverse(product(xs[:, None] - xs + np.eye(len(xs), dtype=np.int64)))
    wrong = np.zeros(len(xs), dtype=bool)
    while True:
        syndromes = dot(rows[: spare - wrong.sum()], weights[:, None] * shares % P)
        bad_digits = syndromes.any(axis=0)
        if not bad_digits.any():
            return _at_zero(xs, weights, shares, wrong), np.flatnonzero(wrong)
        locator = _recurrence(syndromes[:, bad_digits.argmax()])
        found = _roots(locator, rows) & ~wrong
        if found.sum() != len(locator) - 1 or found.sum() + wrong.sum() > radius:
            raise RemoteProtocolError(
                f"{len(xs)} shares with threshold {t}, too many of them wrong, expected at "
                f"most the {radius} that can be corrected"
            )
        wrong |= found
        # A left-out holder's factor is 0, and each other weight loses its factor (x − x_k)⁻¹.
        weights = weights * product(xs[:, None] - xs[found]) % P


def _recurrence(S: Field) -> Field:
    """Coefficients 1, λ₁, …, λ_L of the shortest Λ with Σₖ λₖ·S[n−k] = 0 for L ≤ n < len(S).

    Massey 1969, algorithm 3, in its names: C is Λ so far, B is Λ before its length last changed,
    b the discrepancy then, x the steps since. The result has length L + 1; λ_L may be 0.
    """
    C = np.zeros(len(S) + 1, dtype=np.int64)
    C[0] = 1
    B, b, x, L = C.copy(), 1, 1, 0
    for n in range(len(S)):
        d = int(C[: L + 1] @ S[n - L : n + 1][::-1]) % P
        if d == 0:
            x += 1
            continue
        T = C.copy()
        C[x:] = (C[x:] - d * pow(b, -1, P) % P * B[: len(B) - x]) % P
        if n >= 2 * L:
            L, B, b, x = n + 1 - L, T, d, 1
        else:
            x += 1
    return C[: L + 1]


def _roots(locator: Field, rows: Field) -> NDArray[np.bool_]:
    """Which xᵢ have Λ(1/xᵢ) = 0, shape [m]; none if Λ is too long to be of use.

    xᴸ·Λ(1/x) = Σₖ λₖ·x^(L−k), so the inverse of x is not needed.
    """
    if len(locator) > len(rows):
        return np.zeros(rows.shape[1], dtype=bool)
    is_root: NDArray[np.bool_] = dot(locator[::-1], rows[: len(locator)]) == 0
    return is_root


def _at_zero(xs: Field, weights: Field, shares: Field, wrong: NDArray[np.bool_]) -> Field:
    """Lagrange's f(0) = Σᵢ shareᵢ·vᵢ·∏_{k≠i} (−x_k) over the shares that are not wrong."""
    coefficients = weights * inverse(-xs % P) % P * product(-xs[~wrong] % P) % P
    return dot(coefficients, shares)


def _check(xs: NDArray[np.int64], shares: NDArray[np.uint16] | Field, t: int) -> None:
    if xs.ndim != 1 or shares.ndim != 2 or len(xs) != len(shares):
        raise LocalProtocolError(f"shapes {xs.shape}, {shares.shape}, expected [m] and [m, digits]")
    if not 1 <= t <= len(xs):
        raise LocalProtocolError(f"t={t}, expected 1 <= t <= {len(xs)} shares")
    if xs.min() < 1 or xs.max() >= P or len(np.unique(xs)) != len(xs):
        raise LocalProtocolError(
            f"x-coordinates out of range or twice, expected distinct ones in 1..{P - 1}"
        )
    if shares.size and (shares.min() < 0 or shares.max() >= P):
        raise LocalProtocolError(f"digits of a share out of range, expected them in [0, {P})")
