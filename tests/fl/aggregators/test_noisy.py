"""Sums with noise of every client: as much of it as is promised, and nothing beside it."""

import math
from dataclasses import replace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fl
from fl.aggregators import DistributedNoise
from fl.aggregators.codings.interface import Least
from fl.aggregators.codings.noisy import NoisyWords, _fitted
from fl.aggregators.contribution import Contribution, Metric
from fl.aggregators.interface import Session, SumShape
from fl.privacy import RandomBits, Release, SkellamNoise
from fl.privacy.kept import projection
from tests.helpers.reports import untimed
from tests.helpers.small import arrays, compiled, constant, linear, one_weight

N, T, CORRUPT, SIZE, Z = 6, 5, 1, 4000, 0.7
NOISE = DistributedNoise(norm=2.0, noise_multiplier=Z)
LEAST = Least(T, CORRUPT)
WIDE = 7 * (2 / SIZE) ** 0.5
"""Seven deviations of a variance of so many numbers: exceeded once in 10^11 tests."""
MECHANISMS = pytest.mark.parametrize("mechanism", ["skellam", "discrete_gaussian"])


def secure(**options):
    return fl.SecureSum(threshold=T, corrupt=CORRUPT, coding=replace(NOISE, **options))


def session(n=N, **changes):
    return Session(0, 0, [bytes(32)] * n, weighted=False, **changes)


def contributions(n=N, size=SIZE):
    """Some longer than the norm, some shorter."""
    drawn = np.random.default_rng(0).normal(size=(n, size)).astype(np.float32)
    drawn *= np.linspace(0.2, 3.0, n, dtype=np.float32)[:, None] / size**0.5
    return [Contribution(row, 1, np.float64([7.0])) for row in drawn]


def clipped(contribution, norm=NOISE.norm):
    delta = contribution.delta.astype(float)
    return delta * min(1.0, norm / np.linalg.norm(delta))


def encoding(coding=NOISE, n=N, size=SIZE, least=LEAST):
    return coding.encoding(SumShape(n, (size, 0), (), weighted=False), (), least)


@MECHANISMS
@pytest.mark.parametrize("gone", [{}, {2: 2}, {0: 0}], ids=["all", "late", "early"])
def test_a_sum_has_the_noise_that_it_reports(mechanism, gone):
    total = secure(mechanism=mechanism).aggregate(contributions(), session(dropouts=gone))
    survivors = [u for u in range(N) if u not in gone]
    assert total.survivors == survivors
    error = total.total - sum(clipped(contributions()[u]) for u in survivors)
    fitted = encoding(replace(NOISE, mechanism=mechanism)).fitted
    s = len(survivors)
    assert error.var() == pytest.approx(
        s * (fitted.noise.variance + 1 / 6) / fitted.scale**2, rel=WIDE
    )
    noise = total.report()["noise"]
    # Of the survivors one may be corrupt and have added none.
    certain = (noise["noise_multiplier"] * noise["l2"] / fitted.scale) ** 2
    assert certain == pytest.approx((s - CORRUPT) * fitted.noise.variance / fitted.scale**2)
    assert (noise["mechanism"], noise["dimension"], noise["shares"]) == (
        mechanism,
        SIZE,
        s - CORRUPT,
    )


@MECHANISMS
def test_what_is_promised_is_there_where_the_corrupt_add_none_and_others_are_gone(
    mechanism, monkeypatch
):
    honest, summed = NoisyWords.encode, contributions()

    def encode(self, contribution, rng):
        if any(contribution is corrupt for corrupt in summed[:CORRUPT]):
            silent = replace(self.fitted, noise=SkellamNoise(1e-30))
            return honest(replace(self, fitted=silent), contribution, rng)
        return honest(self, contribution, rng)

    monkeypatch.setattr(NoisyWords, "encode", encode)
    total = secure(mechanism=mechanism).aggregate(summed, session(dropouts={5: 1}))
    error = total.total - sum(clipped(each) for each in summed[:5])
    noise, scale = (
        total.report()["noise"],
        encoding(replace(NOISE, mechanism=mechanism)).fitted.scale,
    )
    promised = (Z * noise["l2"] / scale) ** 2
    assert noise["noise_multiplier"] == noise["promised"] == Z
    assert error.var() == pytest.approx(promised + T / 6 / scale**2, rel=WIDE)


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_the_report_is_that_of_the_formulas(data):
    n = data.draw(st.integers(3, 40))
    t = data.draw(st.integers(n // 2 + 1, n))
    corrupt = data.draw(st.integers(0, min(t - 1, 2 * t - n - 1)))
    survivors, z = data.draw(st.integers(t, n)), data.draw(st.floats(0.1, 10))
    aggregator = fl.SecureSum(
        threshold=t, corrupt=corrupt, coding=DistributedNoise(norm=1.0, noise_multiplier=z, bits=20)
    )
    shape = SumShape(n, (8, 0), (), weighted=False)
    side = aggregator.server_side(shape, ())
    report = side.decode({"update": np.zeros(8, np.uint32)}, survivors).extra["noise"]
    honest = survivors - corrupt
    assert report["noise_multiplier"] == pytest.approx(z * math.sqrt(honest / (t - corrupt)))
    assert (report["promised"], report["shares"]) == (z, honest)
    fitted = side.decoding.encoding.fitted
    deviation = math.sqrt(honest * fitted.noise.variance)
    assert report["noise_multiplier"] * report["l2"] == pytest.approx(deviation, rel=1e-9)
    assert report["l2"] == fitted.sensitivity.l2


def test_more_discrete_gaussians_than_promised_are_no_wider_ones():
    """τ follows from the variance of a share, which does not grow with their number."""
    coding = DistributedNoise(norm=1.0, noise_multiplier=0.6, bits=7, mechanism="discrete_gaussian")
    aggregator = fl.SecureSum(threshold=6, corrupt=0, coding=coding)
    side = aggregator.server_side(SumShape(10, (4, 0), (), weighted=False), ())
    for survivors in (6, 10):
        totals = side.decode({"update": np.zeros(4, np.uint8)}, survivors)
        parts = Release.of(totals.extra["noise"]).parts
        assert (parts.share_variance, parts.shares) == (
            pytest.approx(side.decoding.encoding.fitted.noise.variance), survivors,
        )  # fmt: skip


def test_rounds_with_the_same_seed_differ_and_the_rotation_turns():
    one, other = (secure().aggregate(contributions(), session()) for _ in range(2))
    assert (one.total != other.total).mean() > 0.9
    assert one.state == other.state == (1.0,)
    later = secure().aggregate(contributions(), session(state=one.state))
    assert later.state == (2.0,)
    first, second = (encoding().fitted.rotation, NOISE.encoding(
        SumShape(N, (SIZE, 0), (), weighted=False), NOISE.announce(one.state), Least(T, CORRUPT)
    ).fitted.rotation)  # fmt: skip
    assert first != second


def test_nothing_but_the_update_is_sent():
    shape = SumShape(N, (5, 0), (Metric("loss", 1),), weighted=False)
    side = secure().client_side(shape)
    assert [(v.name, v.length) for v in side.params(bytes(32)).vectors] == [("update", 5)]
    for one in (contributions(size=5)[0], Contribution.left_out((5, 0, 1), malformed=True)):
        assert side.encode(one, np.random.default_rng(0)).keys() == {"update"}


LEFT_OUT = {
    "without examples": Contribution.left_out((SIZE, 0, 1), malformed=False),
    "malformed": Contribution.left_out((SIZE, 0, 1), malformed=True),
    "not finite": Contribution(np.full(SIZE, np.nan, np.float32), 1, np.float64([1.0])),
    "beyond float32": Contribution(np.full(SIZE, 1e39), 1, np.float64([1.0])),
    "with a metric that is not finite": Contribution(
        contributions()[0].delta, 1, np.float64([np.nan])
    ),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_who_cannot_be_summed_adds_noise_like_all_others(name):
    usual = secure().aggregate(contributions(), session())
    total = secure().aggregate([LEFT_OUT[name], *contributions()[1:]], session())
    assert untimed(total.report()) == untimed(usual.report())
    assert (total.weight, total.counted, total.measured) == (N, N, False)
    assert np.isnan(total.metrics).all()
    fitted = encoding().fitted
    words = encoding().encode(LEFT_OUT[name], np.random.default_rng(0))["update"]
    # One client's noise, and the update of at most the norm, which is far below it.
    assert fitted.decode(words).var() == pytest.approx(
        fitted.noise.variance / fitted.scale**2, rel=WIDE + 0.02
    )


def test_the_mean_is_by_the_survivors_or_by_the_number_that_is_given():
    told = session(dropouts={0: 2})
    for divisor, weight in ((None, 5), (50, 50)):
        total = secure(divisor=divisor).aggregate(contributions(), told)
        assert total.weight == weight
        np.testing.assert_array_equal(total.mean, total.total / weight)
        assert total.error_bound is None


@pytest.mark.parametrize("keep", [0.25, 0.7])
def test_with_some_of_the_coordinates_it_is_right_on_average(keep):
    summed, sums = contributions(n=4, size=50), 150
    coding = DistributedNoise(norm=2.0, noise_multiplier=0.01, bits=24, keep=keep)
    fitted, exact = encoding(coding, 4, 50, Least(4, 0)).fitted, sum(map(clipped, summed))
    decoded, source = [], RandomBits.seeded(b"")
    for number in range(sums):
        turned = replace(fitted, rotation=projection(50, keep, bytes([number])))
        words = [turned.encode(each.delta, source) for each in summed]
        decoded.append(turned.decode(sum(each.astype(np.uint64) for each in words)))
    errors = np.array(decoded) - exact
    expected = (1 / keep - 1) * float(exact @ exact)
    assert np.square(errors).sum(axis=1).mean() < 1.5 * expected
    assert np.square(errors.mean(axis=0)).sum() < 4 * expected / sums


def with_statistics():
    layers = [keras.layers.Dense(3), keras.layers.BatchNormalization()]
    return compiled(keras.Sequential([keras.Input((4,)), *layers]))


DATA = [arrays(n, seed=n) for n in (20, 13, 9)]
AGGREGATOR = fl.SecureSum(coding=DistributedNoise(norm=1.0, noise_multiplier=1.0))


def training(build, model=linear):
    process = build(model, aggregator=AGGREGATOR, batch_size=8)
    return process.next(process.initialize(), DATA)


def evaluating():
    evaluate = fl.build_fed_eval(linear, aggregator=AGGREGATOR)
    return evaluate(fl.ModelWeights.from_model(linear()), DATA)


REFUSED = {
    "weighted": lambda: training(fl.build_weighted_fed_avg),
    "statistics": lambda: training(fl.build_unweighted_fed_avg, with_statistics),
    "evaluation": evaluating,
    "by norm": lambda: fl.aggregators.ByNorm(AGGREGATOR, 1.0),
    "adaptive": lambda: fl.aggregators.AdaptiveNorm(AGGREGATOR),
    "around what is around it": lambda: fl.aggregators.ByNorm(
        fl.aggregators.CentralNoise(fl.aggregators.ByNorm(fl.SecureSum(), 1.0), 1.0), 1.0
    ),
    "clusters": lambda: (lambda p: p.next(p.initialize(), [np.ones((3, 2)), np.ones((4, 2))]))(
        fl.build_fed_kmeans(2, (2,), aggregator=AGGREGATOR)
    ),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_what_noise_does_not_hide_is_refused(refused):
    with pytest.raises(fl.errors.AggregationError, match="expected"):
        refused()


def test_a_training_reports_no_metric_and_learns():
    coding = DistributedNoise(norm=10.0, noise_multiplier=1e-3, bits=24)
    process = fl.build_unweighted_fed_avg(one_weight, aggregator=fl.SecureSum(coding=coding))
    empty = (np.zeros((0, 1), np.float32), np.zeros((0, 1), np.float32))
    state, metrics = process.next(process.initialize(), [constant(3.0), constant(5.0), empty])
    # The third adds zero, and counts.
    assert state.weights.to_vector() == pytest.approx([8 / 3], abs=0.2)
    assert metrics["client_work"]["train"] == {}
    assert metrics["aggregator"]["without_examples"] == 0
    assert repr(process.next(state, [constant(3.0)] * 3))  # which has no loss to show


def test_too_few_bits_are_refused():
    aggregator = fl.SecureSum(coding=replace(NOISE, bits=4))
    with pytest.raises(fl.errors.PrivacyError, match="4 bits are too few for 6 clients"):
        aggregator.aggregate(contributions(), session())


def test_a_client_with_another_configuration_is_in_another_session():
    shape = SumShape(N, (3, 0), (), weighted=False)
    others = ({}, {"norm": 1.0}, {"noise_multiplier": 1.0}, {"bits": 17}, {"keep": 0.5})
    others += ({"mechanism": "discrete_gaussian"}, {"alignment": 0.5})
    assert len({secure(**other).client_side(shape).bind(bytes(32)) for other in others}) == 7


def test_a_context_does_not_depend_on_what_was_fitted_before():
    whole, real = replace(NOISE, norm=1), replace(NOISE, norm=1.0)
    contexts = []
    for first in (whole, real):
        _fitted.cache_clear()
        encoding(first)
        contexts.append([encoding(each).bind(b"context") for each in (whole, real)])
    assert contexts[0] == contexts[1]
