"""The loop over clients: in turns, and no longer than it is of use."""

import time

import numpy as np
import pytest

from fl.aggregators.contribution import Contribution
from fl.errors import DataError, ModelError
from fl.process.simulation import for_each_client

N = 40


def begun_until(error, workers, good):
    """How many of N clients began, where all from `good` on raise this error."""
    begun = []

    def work(position, data):
        begun.append(position)
        if position < good:
            return Contribution(np.zeros(1), 1, np.zeros(0))
        time.sleep(0.05 * (workers > 1))  # results are read while the next clients work
        raise error("of the wrong form")

    with pytest.raises(error, match="of the wrong form"):
        for_each_client(range(N), work, workers)
    return len(begun)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_no_client_s_work_is_begun_after_half_are_malformed(workers):
    slack = 8 * (workers - 1)  # at work when it is known, and a little for a slow machine
    assert N // 2 <= begun_until(DataError, workers, 0) <= N // 2 + slack


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_no_client_s_work_is_begun_after_another_error(workers):
    assert 6 <= begun_until(ModelError, workers, 5) <= 6 + 8 * (workers - 1)


@pytest.mark.parametrize("workers", [1, 3])
def test_contributions_come_in_the_order_of_the_clients(workers):
    def work(position, data):
        time.sleep(0.001 * (N - position))
        return Contribution(np.full(1, data), 1, np.zeros(0))

    done = for_each_client(range(0, 2 * N, 2), work, workers)
    assert [int(each.delta[0]) for each in done] == list(range(0, 2 * N, 2))
