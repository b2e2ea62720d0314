"""Masked arrays: numpy drops the mask without a word, so they are refused where data come in."""

import numpy as np
import pytest

import fl
from fl.data.clients import ClientData
from fl.data.masked import refuse_masked
from tests.helpers.small import arrays

MESSAGE = "an array with masked values, expected arrays without"


def masked():
    """Values of which one is masked: the mean of the others is 2."""
    return np.ma.masked_greater(np.array([1.0, 1.0, 4.0, 1e6]), 100)


@pytest.mark.parametrize("where", ["x", "y", "batches", "rows"])
def test_in_training(plain, where):
    x, y = arrays(6)
    hidden = np.ma.masked_greater(x, 0.5)
    data = {
        "x": (hidden, y),
        "y": (x, np.ma.masked_equal(y, 0)),
        "batches": [(hidden[:3], y[:3]), (hidden[3:], y[3:])],
        "rows": (list(hidden), y),
    }[where]
    with pytest.raises(fl.errors.DataError, match=f"client 1: {MESSAGE}"):
        plain.next(plain.initialize(), [arrays(6), data])


def test_in_analytics_and_in_clusters():
    for ask in (
        fl.analytics.secure_sum,
        fl.analytics.secure_mean,
        fl.analytics.secure_weighted_mean,
    ):
        with pytest.raises(fl.errors.DataError, match=f"client 1: .*{MESSAGE}"):
            ask([np.ones(4), masked()])
    with pytest.raises(fl.errors.DataError, match=MESSAGE):
        fl.analytics.secure_quantile([np.ones(4), masked()], 0.5, low=0, high=10)
    process = fl.build_fed_kmeans(2, (1,))
    with pytest.raises(fl.errors.DataError, match=MESSAGE):
        process.next(process.initialize(), [np.ones((4, 1)), masked()[:, None]])


def test_in_client_data():
    x, y = arrays(4)
    data = ClientData(["a"], lambda client: {"x": np.ma.masked_greater(x, 0.5), "y": y})
    for use in (data.arrays, data.create_dataset):
        with pytest.raises(fl.errors.DataError, match=MESSAGE):
            use("a")


def test_where_nothing_is_masked_it_is_an_array():
    refuse_masked([np.ma.masked_greater(np.ones(3), 100), [1.0, 2]])
    whole = np.ma.masked_greater(np.ones(3), 100)
    assert fl.analytics.secure_sum([whole, whole]).value == 6.0
