"""Noise of the server: as much as is said, on a grid, and nothing else that clients tell."""

import math

import numpy as np
import pytest

import fl
from fl.aggregators import AdaptiveNorm, ByNorm, CentralNoise
from fl.aggregators.central import _GRID
from fl.aggregators.clipping import FLOAT32
from fl.aggregators.contribution import Contribution
from fl.aggregators.interface import Session, SumShape
from fl.aggregators.plain import add_up
from tests.helpers.reports import untimed
from tests.helpers.small import constant, one_weight

N, SIZE, NORM, Z = 5, 4000, 0.5, 1.7
WIDE = 7 * (2 / SIZE) ** 0.5
"""Seven deviations of a variance of so many numbers: exceeded once in 10^11 tests."""
SUMS = pytest.mark.parametrize("summed", [fl.PlainSum(), fl.SecureSum()], ids=["plain", "secure"])


def session(n=N, **changes):
    return Session(0, 0, [bytes(32)] * n, weighted=False, **changes)


def contributions(n=N, size=SIZE):
    drawn = np.random.default_rng(0).normal(size=(n, size)).astype(np.float32) / size**0.5
    return [Contribution(row, 1, np.float64([7.0])) for row in drawn]


def clipped(contribution, norm=NORM):
    delta = contribution.delta.astype(float)
    return delta * min(1.0, norm / np.linalg.norm(delta))


@SUMS
def test_the_noise_has_its_deviation_and_the_sum_is_on_its_grid(summed):
    inner = ByNorm(summed, NORM)
    total = CentralNoise(inner, Z).aggregate(contributions(), session())
    exact = inner.aggregate(contributions(), session())
    error = total.total - sum(map(clipped, contributions()))
    # One client moves the sum by its norm, and by what it is rounded.
    reach = NORM * FLOAT32 + math.sqrt(SIZE) * exact.rounding / N
    assert reach == pytest.approx(NORM, rel=1e-3)
    assert error.var() == pytest.approx((Z * reach) ** 2, rel=WIDE)
    step = Z * reach * (1 + 2 * Z * math.sqrt(SIZE) * _GRID) * _GRID
    steps = total.total / step
    assert np.abs(steps - np.rint(steps)).max() < 1e-3
    assert np.unique(np.rint(steps) % 1024).size > 500  # and not on a coarser one


@SUMS
def test_a_report_says_nothing_that_has_no_noise(summed):
    usual = CentralNoise(ByNorm(summed, NORM), Z).aggregate(contributions(), session())
    assert "clip_fraction" not in usual.report()
    for one in (
        Contribution.left_out((SIZE, 0, 1), malformed=False),
        Contribution.left_out((SIZE, 0, 1), malformed=True),
        Contribution(np.full(SIZE, np.nan, np.float32), 1, np.float64([1.0])),
        Contribution(contributions()[0].delta, 1, np.float64([np.nan])),
        Contribution(np.full(SIZE, 100, np.float32), 1, np.float64([1.0])),
    ):
        given = [one, *contributions()[1:]]
        total = CentralNoise(ByNorm(summed, NORM), Z).aggregate(given, session())
        assert untimed(total.report()) == untimed(usual.report())
        assert (total.weight, total.counted, total.measured) == (N, N, False)
        assert np.isnan(total.metrics).all()
    noise = usual.report()["noise"]
    assert (noise["noise_multiplier"], noise["promised"], noise["shares"]) == (Z, Z, 1)


def test_a_count_of_norms_costs_its_part():
    for count_noise in (0.9, 2.0, 50.0):
        inner = AdaptiveNorm(fl.PlainSum(), initial=NORM, count_noise=count_noise)
        noisy = CentralNoise(inner, Z)
        of_update = noisy._of_update
        assert of_update > Z
        # Both together are as one Gaussian of z.
        assert of_update**-2 + (2 * count_noise) ** -2 == pytest.approx(Z**-2)
        error = noisy.aggregate(contributions(), session()).total - sum(
            map(clipped, contributions())
        )
        assert error.var() == pytest.approx((of_update * NORM) ** 2, rel=WIDE)
    for count_noise in (0.0, 0.5, Z / 2):
        with pytest.raises(fl.errors.AggregationError, match="count_noise below half of noise_mul"):
            CentralNoise(AdaptiveNorm(fl.PlainSum(), count_noise=count_noise), Z)


def test_the_count_is_noisy_and_right_on_average():
    # A norm of 1, and 15 of 20 within it; the deviation of the fraction is 2 / 20.
    aggregator = AdaptiveNorm(fl.PlainSum(), initial=1.0, count_noise=2.0)
    given = [Contribution(np.float32([x]), 1, np.ones(1)) for x in [0.5] * 15 + [2.0] * 5]
    drawn = [aggregator.aggregate(given, session(20)) for _ in range(600)]
    beyond = np.array([each.report()["clip_fraction"] for each in drawn])
    assert ((beyond >= 0) & (beyond <= 1)).all()
    assert beyond.mean() == pytest.approx(0.25, abs=7 * 0.1 / 600**0.5)
    assert 0.07 < beyond.std() < 0.13
    for each in drawn[:5]:  # the bound follows what is reported, and nothing else
        step = 0.2 * (1 - each.report()["clip_fraction"] - 0.5)
        assert each.state[0] == pytest.approx(math.exp(-step))


def test_one_client_moves_the_count_by_one_half_of_its_deviation():
    """Σ (b − 1/2) of those that count: without one of them it is ± 1/2 from what it was."""
    quiet = AdaptiveNorm(fl.PlainSum(), initial=1.0, count_noise=1e-9)

    def half_sum(values):
        given = [Contribution(np.float32([x]), int(x > 0), np.ones(1)) for x in values]
        report = quiet.aggregate(given, session(len(given))).report()
        return (0.5 - report["clip_fraction"]) * len(given)

    values = [0.5, 0.5, 0.5, 2.0, 2.0]
    for u in range(5):
        without = [0.0 if v == u else value for v, value in enumerate(values)]
        assert abs(half_sum(values) - half_sum(without)) == pytest.approx(0.5)


@pytest.mark.parametrize(("divisor", "weight"), [(None, 4), (40, 40)])
def test_the_mean_is_by_the_survivors_or_by_the_number_that_is_given(divisor, weight):
    noisy = CentralNoise(ByNorm(fl.PlainSum(), NORM), Z, divisor)
    total = noisy.aggregate(contributions(), session(dropouts={0: 2}))
    assert total.weight == weight
    np.testing.assert_array_equal(total.mean, total.total / weight)
    assert total.error_bound is None


def test_the_servers_half_adds_the_noise_and_the_clients_none():
    noisy = CentralNoise(ByNorm(fl.PlainSum(), NORM), Z)
    given = contributions(size=50)
    shape = SumShape(N, (50, 0), session().shape_of(given).metrics, weighted=False)
    client, server = noisy.client_side(shape), noisy.server_side(shape)
    sums = add_up(client.encode(each, np.random.default_rng(0)) for each in given)
    np.testing.assert_allclose(sums["delta"], sum(map(clipped, given)), atol=1e-6)
    one, other = (server.decode(sums, N) for _ in range(2))
    assert (one.total != other.total).all()
    assert one.extra["noise"]["mechanism"] == "gaussian"


def test_in_training_the_bound_moves_and_no_metric_is_told():
    inner = AdaptiveNorm(fl.SecureSum(), initial=1.0, count_noise=5.0)
    process = fl.build_unweighted_fed_avg(one_weight, aggregator=CentralNoise(inner, 0.01))
    state, metrics = process.next(process.initialize(), [constant(0.5)] * 3)
    assert state.weights.to_vector() == pytest.approx([0.5], abs=0.05)
    assert metrics["client_work"]["train"] == {}
    assert len(state.aggregator) == 1
    weighted = fl.build_weighted_fed_avg(one_weight, aggregator=CentralNoise(inner, 0.01))
    with pytest.raises(fl.errors.AggregationError, match="weighted=True"):
        weighted.next(weighted.initialize(), [constant(0.5)] * 3)
