"""The bundled digits, and partitions of examples among clients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fl
from fl.data import digits, partition


@settings(deadline=None)
@given(st.data())
def test_every_example_goes_to_one_client_and_every_client_gets_one(data):
    labels = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=60))
    clients = data.draw(st.integers(1, len(labels)))
    seed = data.draw(st.integers(0, 100))
    alpha = data.draw(st.sampled_from([1e-3, 0.1, 1.0, 100.0]))
    for parts in (
        partition.dirichlet(labels, clients, alpha=alpha, seed=seed),
        partition.iid(len(labels), clients, seed=seed),
    ):
        assert len(parts) == clients
        assert min(map(len, parts)) >= 1
        assert sorted(np.concatenate(parts)) == list(range(len(labels)))


def test_iid_parts_differ_by_at_most_one():
    assert sorted(map(len, partition.iid(23, 5))) == [4, 4, 5, 5, 5]


def test_small_alpha_gives_each_client_few_classes():
    labels = np.repeat(np.arange(10), 100)

    def classes(alpha):
        parts = partition.dirichlet(labels, 10, alpha=alpha, seed=4)
        return np.mean([np.unique(labels[part]).size for part in parts])

    assert classes(0.01) < 4 < 9 < classes(100)


def test_a_partition_follows_its_seed():
    labels = np.arange(100) % 10
    one, same, other = (partition.dirichlet(labels, 5, alpha=0.5, seed=s) for s in (1, 1, 2))
    assert [part.tolist() for part in one] == [part.tolist() for part in same]
    assert [part.tolist() for part in one] != [part.tolist() for part in other]


@pytest.mark.parametrize(("clients", "alpha"), [(0, 1.0), (11, 1.0), (5, 0.0), (5, float("nan"))])
def test_partitions_that_cannot_be_are_refused(clients, alpha):
    with pytest.raises(fl.errors.DataError):
        partition.dirichlet(np.zeros(10), clients, alpha=alpha)


def test_the_digits_are_split_four_to_one():
    (x, y), (x_test, y_test) = digits.load(seed=5)
    assert (x.shape, x_test.shape) == ((1438, 64), (359, 64))
    assert (x.dtype, y.dtype, len(y), len(y_test)) == (np.float32, np.int64, 1438, 359)
    assert (x.min(), x.max(), set(y.tolist())) == (0.0, 1.0, set(range(10)))
    assert not {row.tobytes() for row in x_test} <= {row.tobytes() for row in x}
    np.testing.assert_array_equal(digits.load(seed=5)[0][0], x)
    assert not np.array_equal(digits.load(seed=6)[0][0], x)


def test_a_test_fraction_out_of_range_is_refused():
    with pytest.raises(fl.errors.DataError, match="test_fraction is 1"):
        digits.load(test_fraction=1)
