"""What one client's work comes to: what it cannot be."""

import numpy as np
import pytest

import fl
from fl.aggregators.contribution import Contribution
from fl.aggregators.interface import Session


@pytest.mark.parametrize(
    ("weight", "seen"),
    [
        (0.5, "a weight of type float"),
        (1.0, "a weight of type float"),
        (-1, "a negative weight"),
        (np.int64(-1), "a negative weight"),
        ("2", "a weight of type str"),
        (None, "a weight of type NoneType"),
    ],
)
def test_a_weight_is_a_whole_number_that_is_not_in_the_message(weight, seen):
    with pytest.raises(fl.errors.AggregationError) as refused:
        Contribution(np.ones(1), weight, np.ones(1))
    assert str(refused.value) == f"{seen}, expected a whole number from 0"


def test_weights_of_numpy_add_up_beyond_their_own_range():
    contributions = [Contribution(np.ones(1), np.uint8(200), np.ones(1)) for _ in range(2)]
    total = fl.PlainSum().aggregate(contributions, Session(0, 0, [b""] * 2))
    assert (total.weight, total.mean.tolist()) == (400, [1.0])


@pytest.mark.parametrize("aggregator", [fl.PlainSum(), fl.SecureSum()], ids=["plain", "secure"])
def test_analytics_refuse_such_weights_too(aggregator):
    with pytest.raises(fl.errors.AggregationError, match="expected a whole number from 0"):
        fl.analytics.secure_weighted_mean([[1.0], [2.0]], [1, 0.5], aggregator=aggregator)
