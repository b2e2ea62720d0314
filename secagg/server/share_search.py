"""The secret behind m shares of which more are wrong than can be decoded: t shares after t shares.

    λ_i over A∖L  =  λ_i over A · Π_{l∈L} (x_l − x_i)/x_l        A: t + |L| holders, L: left out

The commitment tells right from wrong, so that one share to spare is enough to do without one wrong
share. With the Lagrange coefficients λ over A at hand, each choice of L costs |L| products of
vectors instead of the t² of coefficients of its own, and many choices are one product of matrices.

There are too many choices to try all of them: what is spent is bounded by a `Budget`, which counts
work and not tries, and which all the owners of a session share.  So the searches for many bad
dealers together cost no more than the search for one.  Where one succeeds, telling the wrong shares
costs as much again as decoding, O(m·t).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from secagg.graph import Indices
from secagg.sharing.field import Field, P, dot, inverse, product
from secagg.sharing.shamir import DIGITS, lagrange_at_zero

SESSION_WORK = 2**26
"""Field multiplications: 7000 tries for t=67, 3000 for t=667, in 0.2 to 0.4 s of one core.
Above t=8192 there are none: the coefficients alone cost more."""

_CHECK_WORK = 2**13  # what it costs to hold one candidate against a public key, the dearer check
_BATCH = 64  # choices in one product: its operands stay in the megabytes

Confirm = Callable[[Sequence[int]], bytes | None]


@dataclass
class Budget:
    """The work left to a session's searches, in field multiplications."""

    left: int = SESSION_WORK

    def allows(self, work: int) -> bool:
        """Spend it, if it is there: what is too dear leaves the rest to cheaper searches."""
        if work > self.left:
            return False
        self.left -= work
        return True


def search(
    xs: Field, shares: Field, t: int, confirm: Confirm, budget: Budget
) -> tuple[bytes, Indices] | None:
    """The secret, and the indices of the shares that do not lie with the t that lead to it.

    Args:
        xs: distinct coordinates, shape [m], m ≥ t.
        shares: residues [m, 17].
        t: any t right shares combine.
        confirm: the secret that these digits are, or None if it is not the one.
        budget: what may be spent, shared with other searches.

    Returns:
        None if no t shares lead to the secret, or none that the budget allows to try.
    """
    for A, left_out in _choices(len(xs), t, budget):
        coefficients = _without(xs[:A], left_out)
        for L, digits in zip(left_out, dot(coefficients, shares[:A]).tolist(), strict=True):
            secret = confirm(digits)
            if secret is not None:
                return secret, _astray(xs, shares, np.delete(np.arange(A), L))
    return None


def _choices(m: int, t: int, budget: Budget) -> Iterator[tuple[int, Indices]]:
    """Batches of (|A|, [tries, |L|]): each subset of t of m once, those first that spare few.

    A is the first t + |L| holders, and its last is not in L: that would be a subset of fewer.
    """
    for spared in range(m - t + 1):
        A = t + spared
        work = A * (2 * spared + DIGITS) + _CHECK_WORK
        if not budget.allows(A * A):  # the coefficients over A
            return
        subsets = combinations(range(A - 1), spared)
        while batch := list(islice(subsets, min(_BATCH, budget.left // work))):
            budget.allows(len(batch) * work)
            yield A, np.array(batch, np.int64).reshape(len(batch), spared)
        if next(subsets, None) is not None:
            return


def _without(xs: Field, left_out: Indices) -> Field:
    """λ over all xs but those of each row of `left_out`, shape [tries, |A|]: 0 for who is not."""
    coefficients = np.broadcast_to(lagrange_at_zero(xs), (len(left_out), len(xs)))
    for gone in xs[left_out].T:
        factors = (gone[:, None] - xs) % P * inverse(gone)[:, None] % P
        coefficients = coefficients * factors % P
    return coefficients


def _astray(xs: Field, shares: Field, kept: Indices) -> Indices:
    """Which of the other shares are not on the polynomials of the t that were kept.

    f(z) = Π_k (z − x_k) · Σ_i w_i·f(x_i)/(z − x_i),   w_i = Π_{k≠i} (x_i − x_k)⁻¹
    """
    x, others = xs[kept], np.setdiff1d(np.arange(len(xs)), kept)
    gaps = (xs[others][:, None] - x) % P
    w = inverse(product(x[:, None] - x + np.eye(len(x), dtype=np.int64)))
    values = product(gaps)[:, None] * dot(inverse(gaps) * w % P, shares[kept]) % P
    wrong: NDArray[np.bool_] = (values != shares[others]).any(axis=1)
    return others[wrong]
