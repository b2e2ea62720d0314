"""Federated k-means is Lloyd's algorithm on the union of the points."""

import numpy as np
import pytest
import tensorflow as tf

import fl

AGGREGATORS = pytest.mark.parametrize("aggregator", [None, fl.PlainSum()], ids=["secure", "plain"])


def points(*rows):
    return np.array(rows, np.float32)


@AGGREGATORS
def test_one_round_by_hand(aggregator):
    process = fl.build_fed_kmeans(3, (2,), aggregator=aggregator)
    state = process.initialize([[0, 0], [4, 4], [-9, -9]])
    data = [points([1, 0], [3, 4]), points([0, 1], [-1, 2], [6, 4])]
    state, metrics = process.next(state, data)
    # {(1, 0), (0, 1), (-1, 2)} to the first, {(3, 4), (6, 4)} to the second, none to the third
    bound = metrics["aggregator"]["error_bound"] * 5 / 2
    np.testing.assert_allclose(
        state.centers, [[0, 1], [4.5, 4], [-9, -9]], rtol=0, atol=bound + 1e-12
    )
    assert metrics["finalizer"]["cluster_sizes"] == [3, 2, 0]
    assert metrics["finalizer"]["largest_move"] == pytest.approx(1.0, abs=2 * bound + 1e-12)
    assert metrics["client_work"]["train"]["num_examples"] == 5
    mean_square = (1 + 1 + 5 + 1 + 4) / 5
    assert metrics["client_work"]["train"]["mean_square"] == pytest.approx(mean_square, abs=1e-6)
    assert state.round == 1
    np.testing.assert_array_equal(state.assign([[0, 0], [5, 5], [-8, 0]]), [0, 1, 0])


def test_secure_and_plain_agree_within_the_bound():
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(n, 3)).astype(np.float32) for n in (20, 7, 31, 9)]
    secure, plain = (
        fl.build_fed_kmeans(4, (3,), aggregator=aggregator, seed=1)
        for aggregator in (fl.SecureSum(clip=8.0), fl.PlainSum())
    )
    state = secure.initialize()
    for _ in range(3):
        expected = plain.next(state, data, dropouts={1: 2})
        state, metrics = secure.next(state, data, dropouts={1: 2})
        sizes = np.array(metrics["finalizer"]["cluster_sizes"])
        assert expected.metrics["finalizer"]["cluster_sizes"] == sizes.tolist()
        assert (metrics["aggregator"]["clipped"], sizes.sum()) == (0, 60)
        bound = metrics["aggregator"]["error_bound"] * 60 / np.maximum(sizes, 1)
        difference = np.abs(state.centers - expected.state.centers)
        assert (difference <= bound[:, None] + 1e-12).all()


def test_rounds_converge_to_the_clusters_that_are_there():
    rng = np.random.default_rng(1)
    middles = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    data = [
        (middles[rng.integers(3, size=60)] + 0.1 * rng.normal(size=(60, 2))).astype(np.float32)
        for _ in range(5)
    ]
    process = fl.build_fed_kmeans(3, (2,))
    state = process.initialize(middles + 0.8)
    losses = []
    for _ in range(5):
        state, metrics = process.next(state, data)
        losses.append(metrics["client_work"]["train"]["mean_square"])
    assert np.diff(losses).max() < 1e-6  # up to the quantisation
    np.testing.assert_allclose(state.centers, middles, atol=0.05)


def test_with_memory_a_center_is_the_mean_of_all_it_was_given():
    process = fl.build_fed_kmeans(1, (1,), memory=1.0, aggregator=fl.PlainSum())
    state = process.initialize([[0.0]])
    state = process.next(state, [points([2], [4])]).state
    assert (state.centers.item(), state.weights.item()) == (3.0, 2.0)
    state = process.next(state, [points([0])]).state
    assert (state.centers.item(), state.weights.item()) == (2.0, 3.0)  # (2 + 4 + 0) / 3


@AGGREGATORS
@pytest.mark.parametrize("far", [1e12, 1e15, 1e30])
def test_centers_may_begin_however_far_away(aggregator, far):
    process = fl.build_fed_kmeans(1, (2,), aggregator=aggregator)
    data = [np.array([[1e-3, 3], [2e-3, 0]]), np.array([[-5e-3, 0], [6e-3, 3]])]
    state = process.next(process.initialize([[far, -far]]), data).state
    np.testing.assert_allclose(state.centers, [[1e-3, 1.5]], rtol=1e-15)


@AGGREGATORS
@pytest.mark.parametrize("bad", [np.nan, 1e39])
def test_points_beyond_float32_count_for_nothing(aggregator, bad):
    process = fl.build_fed_kmeans(1, (1,), aggregator=aggregator)
    data = [np.array([[bad], [-bad]]), points([3]), points([5])]
    result = process.next(process.initialize([[0.0]]), data)
    np.testing.assert_array_equal(result.state.centers, [[4.0]])
    assert result.metrics["finalizer"]["update_non_finite"] == 1


@AGGREGATORS
def test_where_no_client_has_finite_points_nothing_moves(aggregator):
    process = fl.build_fed_kmeans(2, (1,), aggregator=aggregator)
    state = process.initialize([[0.0], [1.0]])
    result = process.next(state, [points([np.nan])] * 2)
    np.testing.assert_array_equal(result.state.centers, state.centers)
    assert result.metrics["finalizer"]["update_non_finite"] == 2
    assert np.isnan(result.metrics["client_work"]["train"]["mean_square"])


def test_points_come_in_every_form_that_training_takes():
    process = fl.build_fed_kmeans(1, (2,), aggregator=fl.PlainSum())
    x = points([1, 2], [3, 4])
    dataset = tf.data.Dataset.from_tensor_slices((x, [0, 1])).batch(1)
    state = process.initialize([[0, 0]])
    for data in (x, (x, np.zeros(2)), dataset):
        moved = process.next(state, [data]).state
        np.testing.assert_array_equal(moved.centers, [[2, 3]])


def test_a_state_is_immutable_and_random_centers_follow_from_the_seed():
    one, two, three = (fl.build_fed_kmeans(2, (3, 2), seed=s).initialize() for s in (1, 1, 2))
    np.testing.assert_array_equal(one.centers, two.centers)
    assert one.centers.shape == (2, 3, 2)
    assert not np.array_equal(one.centers, three.centers)
    with pytest.raises(ValueError, match="read-only"):
        one.centers[0, 0] = 1


WRONG = {
    "shape": (points([1, 2, 3]), "client 0: points of shape"),
    "words": (np.array([["a", "b"]]), "client 0: not an array of numbers"),
    "numerals": (np.array([["1", "2"]]), "client 0: not an array of numbers"),
    "complex": (np.array([[1j, 2]]), "client 0: not an array of numbers"),
}


@pytest.mark.parametrize(("data", "message"), WRONG.values(), ids=WRONG)
def test_points_that_do_not_fit_name_the_client(data, message):
    process = fl.build_fed_kmeans(1, (2,))
    with pytest.raises(fl.errors.DataError, match=message):
        process.next(process.initialize(), [data, data])


def test_centers_and_numbers_that_do_not_fit_are_refused():
    process = fl.build_fed_kmeans(2, (2,))
    for centers in ([[0, 0]], [[0, 0], [np.nan, 0]], [[0, 0], [1e39, 0]]):
        with pytest.raises(fl.errors.ModelError, match="centers of shape"):
            process.initialize(centers)
    with pytest.raises(fl.errors.ModelError, match="expected a KMeansState"):
        process.next(None, [points([1, 2])])
    with pytest.raises(fl.errors.ModelError, match="num_clusters=0"):
        fl.build_fed_kmeans(0, (2,))
    with pytest.raises(fl.errors.ModelError, match="memory=2"):
        fl.build_fed_kmeans(1, (2,), memory=2)
