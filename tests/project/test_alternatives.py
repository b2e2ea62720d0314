"""The measurements behind docs/choices.md compute what they say."""

import numpy as np
import pytest

from benchmarks import gossip


def test_gossip_among_few_takes_the_exchanges_that_theory_says() -> None:
    """One leaves 1 - 1/(n-1) of the squared distance on average, so it takes (n-1) ln 10^6."""
    n, rng = 20, np.random.default_rng(1)
    taken = np.mean([gossip.exchanges(n, None, rng) for _ in range(40)])
    assert taken == pytest.approx(2 * np.log(1 / gossip.TOLERANCE) * (n - 1), rel=0.15)


@pytest.mark.parametrize("encryption", ["public", "symmetric"])
def test_a_sum_under_ckks_is_the_sum(encryption: str) -> None:
    pytest.importorskip("tenseal")
    from benchmarks import homomorphic

    row = homomorphic.ckks(3, 5000, encryption)
    assert row["largest_error"] < 1e-5
