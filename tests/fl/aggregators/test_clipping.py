"""Clipping by norm, and a bound that finds a quantile of norms that nobody sees."""

import math

import numpy as np
import pytest

import fl
from fl.aggregators.contribution import Contribution
from fl.aggregators.interface import Session
from tests.helpers.small import constant, one_weight

AGGREGATORS = pytest.mark.parametrize(
    "inner", [fl.PlainSum(), fl.SecureSum()], ids=["plain", "secure"]
)


def contribution(*delta, weight=1):
    return Contribution(np.float32(delta), weight, np.float64([7.0]))


def session(n, **changes):
    return Session(0, 0, [bytes(32)] * n, **changes)


@AGGREGATORS
def test_a_longer_update_is_scaled_to_the_norm_and_counted(inner):
    # ‖(3, 4)‖ = 5 becomes 2.5; ‖(0, 2.5)‖ is within
    given = [contribution(3, 4), contribution(0, 2.5), contribution(0, 0, weight=2)]
    total = fl.aggregators.ByNorm(inner, 2.5).aggregate(given, session(3))
    np.testing.assert_allclose(total.mean, [1.5 / 4, 4.5 / 4], atol=total.error_bound)
    np.testing.assert_array_equal(total.metrics, [21.0])
    report = total.report()
    assert (report["clip_norm"], report["clip_fraction"]) == (2.5, pytest.approx(1 / 3))


@AGGREGATORS
def test_who_is_not_in_the_sum_or_not_finite_is_not_in_the_fraction(inner):
    given = [contribution(3), contribution(np.nan), contribution(1), contribution(3)]
    total = fl.aggregators.ByNorm(inner, 2.0).aggregate(given, session(4, dropouts={0: 2}))
    assert total.non_finite == 1
    assert total.report()["clip_fraction"] == 0.5
    np.testing.assert_allclose(total.mean, [1.5], atol=total.error_bound)


@AGGREGATORS
def test_the_bound_moves_by_the_factor_of_andrew_et_al(inner):
    # 3 of 4 are within 1: C <- 1 · exp(-0.2 · (3/4 - 1/2))
    adaptive = fl.aggregators.AdaptiveNorm(inner, initial=1.0)
    given = [contribution(0.5), contribution(1), contribution(0), contribution(2)]
    total = adaptive.aggregate(given, session(4))
    assert total.report()["clip_fraction"] == 0.25
    (norm,) = total.state
    assert norm == pytest.approx(math.exp(-0.05), rel=1e-12)
    # one more is beyond it now: 2 of 4 are within, and it stays
    total = adaptive.aggregate(given, session(4, state=total.state))
    assert total.state[0] == pytest.approx(norm, rel=1e-12)
    assert total.report()["clip_norm"] == norm


@pytest.mark.parametrize("quantile", [0.2, 0.5, 0.9])
def test_the_bound_converges_to_the_quantile_of_the_norms(quantile):
    adaptive = fl.aggregators.AdaptiveNorm(fl.PlainSum(), quantile=quantile)
    rng = np.random.default_rng(1)
    state, last = (), []
    for round_number in range(150):
        norms = rng.lognormal(1.0, 0.5, size=100)
        given = [contribution(norm * rng.choice([-1, 1])) for norm in norms]
        state = adaptive.aggregate(given, session(100, state=state)).state
        if round_number >= 100:
            last.append(float(state[0]))
    expected = np.quantile(np.random.default_rng(2).lognormal(1.0, 0.5, size=100_000), quantile)
    assert np.mean(last) == pytest.approx(expected, rel=0.05)


def test_it_converges_through_the_secure_sum_as_in_the_clear():
    states = []
    for inner in (fl.PlainSum(), fl.SecureSum()):
        adaptive, state = (
            fl.aggregators.AdaptiveNorm(inner, initial=8.0, learning_rate=0.5),
            (),
        )
        rng = np.random.default_rng(3)
        for _ in range(20):
            given = [contribution(norm) for norm in rng.uniform(1.0, 3.0, size=8)]
            state = adaptive.aggregate(given, session(8, state=state, dropouts={1: 2})).state
        states.append(float(state[0]))
    assert states[0] == states[1]  # a count is summed exactly
    assert 1.6 < states[0] < 2.4


def test_in_training_the_bound_travels_in_the_state():
    process = fl.build_weighted_fed_avg(
        one_weight, aggregator=fl.aggregators.AdaptiveNorm(fl.SecureSum(), initial=1.0)
    )
    start = process.initialize()
    assert start.aggregator == ()
    # updates 0.5 and 4, the second is clipped to 1: half of them are within, the bound stays
    state, metrics = process.next(start, [constant(0.5), constant(4.0)])
    assert metrics["aggregator"]["clip_norm"] == 1.0
    assert metrics["aggregator"]["clip_fraction"] == 0.5
    assert state.weights.to_vector() == pytest.approx([0.75])
    assert state.aggregator == (1.0,)
    # updates 3.25 and 3.25: none is within, the bound grows by exp(0.2 · 0.5)
    state = process.next(state, [constant(4.0), constant(4.0)]).state
    assert state.weights.to_vector() == pytest.approx([1.75])
    assert state.aggregator[0] == pytest.approx(math.exp(0.1))
    with pytest.raises(ValueError, match="read-only"):
        state.aggregator[0][...] = 9
    # a round without any finite update tells nothing of norms
    with pytest.warns(fl.errors.SumWarning, match="2 clients .* not finite"):
        after = process.next(state, [constant(np.nan), constant(np.nan)])
    assert after.state.aggregator == state.aggregator
    assert after.metrics["aggregator"]["clip_fraction"] == 0.0


def test_the_norm_is_in_the_context():
    heard = set()

    class Listening:
        def aggregate(self, contributions, session):
            heard.update(session.contexts)
            return fl.PlainSum().aggregate(contributions, session)

    for norm in (1.0, 2.0, 1.0):
        fl.aggregators.ByNorm(Listening(), norm).aggregate([contribution(1)], session(1))
    assert len(heard) == 2
    assert bytes(32) not in heard


WRONG = {
    "norm": lambda: fl.aggregators.ByNorm(fl.PlainSum(), 0.0),
    "initial": lambda: fl.aggregators.AdaptiveNorm(fl.PlainSum(), initial=math.inf),
    "learning_rate": lambda: fl.aggregators.AdaptiveNorm(fl.PlainSum(), learning_rate=-1),
    "quantile": lambda: fl.aggregators.AdaptiveNorm(fl.PlainSum(), quantile=1.5),
}


@pytest.mark.parametrize(("name", "make"), WRONG.items(), ids=WRONG)
def test_numbers_out_of_range_are_refused(name, make):
    with pytest.raises(fl.errors.AggregationError, match=f"{name} is"):
        make()


def test_the_state_of_something_else_is_refused():
    adaptive = fl.aggregators.AdaptiveNorm(fl.PlainSum())
    for state in ((np.zeros(3),), (np.array(-1.0),), (np.array(np.nan), np.array(1.0))):
        with pytest.raises(fl.errors.AggregationError, match="expected a norm above 0 first"):
            adaptive.aggregate([contribution(1)], session(1, state=state))


def test_what_is_wrapped_must_be_an_aggregator():
    for wrap in (
        lambda inner: fl.aggregators.ByNorm(inner, 1.0),
        fl.aggregators.AdaptiveNorm,
    ):
        with pytest.raises(
            fl.errors.AggregationError, match=r"the class SecureSum, expected an instance"
        ):
            wrap(fl.SecureSum)


@pytest.mark.parametrize("kind", ["ByNorm", "AdaptiveNorm"])
def test_one_clipping_around_another_is_refused(kind):
    inner = {
        "ByNorm": fl.aggregators.ByNorm(fl.PlainSum(), 1.0),
        "AdaptiveNorm": fl.aggregators.AdaptiveNorm(fl.PlainSum()),
    }[kind]
    refusal = rf"around {kind}\(.*, expected an aggregator that does not clip by norm"
    with pytest.raises(fl.errors.AggregationError, match=refusal):
        fl.aggregators.ByNorm(inner, 1.0)
    with pytest.raises(fl.errors.AggregationError, match=refusal):
        fl.aggregators.AdaptiveNorm(inner)
