"""A sum that no honest clients give is refused, and what honest clients give at the edge is not."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fl
from fl.aggregators.contribution import LARGEST, Contribution
from fl.aggregators.interface import Session
from tests.helpers.implausible import LIES, METRICS, WEIGHT, contributions, lies, session
from tests.helpers.small import arrays, constant, linear, one_weight


@pytest.mark.parametrize(("vector", "word", "value", "message"), LIES.values(), ids=LIES)
def test_what_no_honest_clients_give_is_refused(monkeypatch, vector, word, value, message):
    secure = fl.SecureSum()
    assert secure.aggregate(contributions(), session()).weight == 100
    lies(monkeypatch, vector, word, value)
    with pytest.raises(fl.errors.ImplausibleSum, match=message):
        secure.aggregate(contributions(), session())


def test_where_every_client_counts_once_their_number_is_known(monkeypatch):
    for value in (1, -1):
        lies(monkeypatch, "counts", WEIGHT, value)
        with pytest.raises(fl.errors.ImplausibleSum, match="expected 4 to 4 of 4 clients"):
            fl.SecureSum().aggregate(contributions(weight=1), session(weighted=False))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_honest_clients_at_the_edge_are_believed(data):
    """All at the clip, the largest weight, the largest numbers; with any rounding."""
    n = data.draw(st.integers(2, 6))
    bits, clip = data.draw(st.sampled_from([8, 16, 32, 64])), data.draw(st.floats(1e-3, 1e3))
    most = data.draw(st.sampled_from([1, 7, 16384]))
    given = []
    for _ in range(n):
        delta = data.draw(st.sampled_from([clip, -clip, 2 * clip, 0.0, np.nan]))
        size = data.draw(st.sampled_from([LARGEST, -LARGEST, 0.0, np.inf]))
        weight = data.draw(st.sampled_from([0, 1, most, most + 1]))
        examples = data.draw(st.sampled_from([0, 9, 10]))
        given.append(
            Contribution(
                np.float32([delta] * 2), weight, np.float64([examples, size]), np.float32([size])
            )
        )
    secure = fl.SecureSum(bits=bits, clip=clip, max_weight=most)
    for aggregator in (secure, fl.aggregators.ByNorm(secure, clip / 3)):
        one = Session(0, data.draw(st.integers(0, 9)), [bytes(32)] * n, metrics=METRICS)
        total = aggregator.aggregate(given, one)
        assert 0 <= total.counted <= n


def test_an_update_longer_than_the_norm_is_refused(monkeypatch):
    given = [Contribution(np.float32([0.5, 0.5]), 25, np.float64([5, 1.0])) for _ in range(4)]
    by_norm = fl.aggregators.ByNorm(fl.SecureSum(), 0.5)
    step = by_norm.aggregate(given, session()).rounding / 4
    lies(monkeypatch, "update", 0, round(20 / step))  # within the clip of 4, not the norm of 0.5
    with pytest.raises(
        fl.errors.ImplausibleSum, match=r"a sum of updates of norm .*, expected at most 0\.5 times"
    ):
        by_norm.aggregate(given, session())


def test_adaptive_clipping_refuses_a_count_that_cannot_be(monkeypatch):
    process = fl.build_weighted_fed_avg(
        one_weight, aggregator=fl.aggregators.AdaptiveNorm(fl.SecureSum(), initial=1.0)
    )
    state, data = process.initialize(), [constant(0.5), constant(0.25), constant(2.0)]
    assert process.next(state, data).metrics["aggregator"]["clip_fraction"] == pytest.approx(1 / 3)
    for within in (-(10**10), 4, -3):
        lies(monkeypatch, "counts", -1, within)
        with pytest.raises(
            fl.errors.ImplausibleSum, match="a count of 'within the norm' that 3 clients"
        ):
            process.next(state, data)
    assert (state.round, state.aggregator) == (0, ())
    assert process.next(state, data).state.round == 1  # the liar is silent now


def test_a_norm_stays_a_number_however_fast_it_moves():
    adaptive = fl.aggregators.AdaptiveNorm(fl.SecureSum(), learning_rate=1e6, quantile=1.0)
    state = ()
    for delta in (1e9, 1e9, 1e9, 0.0):
        total = adaptive.aggregate(contributions(delta), session(state=state))
        state = total.state
        assert 0 < state[0] < np.inf


def test_a_state_is_as_it_was_after_a_sum_that_cannot_be(monkeypatch):
    process = fl.build_weighted_fed_avg(linear, server_optimizer_fn=lambda: keras.optimizers.Adam())
    state, clients = process.initialize(), [arrays(n, seed=n) for n in (20, 13, 9)]
    before = [array.copy() for array in (*state.weights.arrays, *state.optimizer)]
    expected = process.next(state, clients).state.weights.to_vector()
    lies(monkeypatch, "counts", WEIGHT, -41)
    with pytest.raises(fl.errors.ImplausibleSum):
        process.next(state, clients)
    for array, old in zip((*state.weights.arrays, *state.optimizer), before, strict=True):
        np.testing.assert_array_equal(array, old)
    np.testing.assert_array_equal(process.next(state, clients).state.weights.to_vector(), expected)


def test_counts_of_clusters_and_of_values_have_to_fit(monkeypatch):
    process = fl.build_fed_kmeans(2, (1,))
    state, data = process.initialize([[0.0], [9.0]]), [np.float64([[1.0], [8.0]])] * 3
    lies(monkeypatch, "counts", -1, 3)
    with pytest.raises(fl.errors.ImplausibleSum, match="clusters of 9 points in all, expected 6"):
        process.next(state, data)
    lies(monkeypatch, "counts", -1, -3)  # of how many values there are
    with pytest.raises(fl.errors.ImplausibleSum, match="3 of 0 values"):
        fl.analytics.secure_quantile([1, 2, 3], 0.5, low=0, high=9)
