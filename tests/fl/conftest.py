"""Processes that several test modules share; each is made once a run."""

import pytest

import fl
from tests.helpers.small import arrays, linear


@pytest.fixture(scope="session")
def plain():
    """A weighted process over a plain sum: one pass in batches of 8, no shuffling."""
    return fl.build_weighted_fed_avg(
        linear, aggregator=fl.PlainSum(), batch_size=8, shuffle=False, seed=3
    )


@pytest.fixture(scope="session")
def secure():
    """The same process over a secure sum."""
    return fl.build_weighted_fed_avg(
        linear, aggregator=fl.SecureSum(), batch_size=8, shuffle=False, seed=3
    )


@pytest.fixture
def clients():
    return [arrays(n, seed=n) for n in (20, 13, 9, 30, 8)]
