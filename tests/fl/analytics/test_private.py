"""Answers with noise: as much as is promised, of what one client moves at the most, and no more."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fl
from fl.aggregators.contribution import Contribution
from fl.analytics import ClientNoise, ServerNoise
from fl.analytics.bounded import (
    BOUNDED,
    bounded_histogram,
    bounded_mean,
    bounded_sum,
    bounded_tree,
)
from fl.analytics.halves import found, parts
from tests.helpers.audit import least_epsilon, least_mu
from tests.helpers.reports import untimed

NOISES = pytest.mark.parametrize("kind", [ClientNoise, ServerNoise], ids=["clients", "server"])
NEARLY_NONE = 1e-6
DATA = [[1.0, 2.0], [3.0], [], [40.0], [-5.0, 1.0], [4.0]]  # sums 3, 3, 0, 40, -4, 4


@NOISES
def test_with_hardly_any_noise_an_answer_is_that_of_the_clipped_values(kind):
    noise = kind(NEARLY_NONE)
    total = fl.analytics.private_sum(DATA, low=-1, high=10, noise=noise)
    assert total.value == pytest.approx(3 + 3 + 0 + 10 - 1 + 4, abs=1e-3)
    mean = fl.analytics.private_mean(DATA, low=-1, high=10, noise=noise)  # without the empty one
    assert float(mean) == pytest.approx((1.5 + 3 + 10 - 1 + 4) / 5, abs=1e-3)
    seen = fl.analytics.private_histogram(DATA, [0, 2, 5], values_per_client=2, noise=noise)
    np.testing.assert_allclose([seen.below, *seen.counts, seen.above], [1, 2, 3, 1], atol=1e-3)
    median = fl.analytics.private_quantile(
        DATA, 0.5, low=-8, high=8, values_per_client=2, noise=noise
    )
    assert abs(median.value - 2.0) <= 2 * median.half_width == 16 / 1024  # -5 1 1 2 3 4 40


@NOISES
def test_values_may_be_vectors(kind):
    data = [[[1, 10], [3, -30]], [[4, 2]], []]
    seen = fl.analytics.private_sum(data, low=-9, high=9, noise=kind(NEARLY_NONE))
    np.testing.assert_allclose(seen.value, [8, -7], atol=1e-3)
    seen = fl.analytics.private_mean(data, low=-9, high=9, noise=kind(NEARLY_NONE))
    np.testing.assert_allclose(seen.value, [3, (-9 + 2) / 2], atol=1e-3)


def test_of_more_values_than_may_count_some_are_drawn():
    data = [np.arange(100.0), np.arange(100.0), [250.0]]
    seen = fl.analytics.private_histogram(
        data, np.arange(0, 101, 1), values_per_client=40, noise=ServerNoise(NEARLY_NONE)
    )
    assert seen.counts.sum() == pytest.approx(80, abs=1e-2)
    assert seen.above == pytest.approx(1, abs=1e-3)
    assert 0.5 < seen.counts[:50].sum() < 79.5  # none or all of a half: once in 10^35


numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)
clients = st.lists(numbers, max_size=8).map(np.array)
ranges = st.tuples(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6)).map(lambda r: (r[0], r[0] + r[1]))


@given(clients, ranges, st.integers(1, 5), st.integers(1, 6))
def test_no_client_moves_a_sum_by_more_than_is_accounted(values, bounds, most, depth):
    low, high = bounds
    pairs = np.array(values[: len(values) // 2 * 2]).reshape(-1, 2)
    for question, own in (
        (bounded_sum(low, high, 1), values),
        (bounded_sum(low, high, 2), pairs),
        (bounded_mean(low, high, 1), values),
        (bounded_mean(low, high, 2), pairs),
        (bounded_histogram([low, (low + high) / 2, high], most), values),
        (bounded_tree(low, high, depth, most), values),
    ):
        part = BOUNDED[question.name](own, question.numbers)
        assert part.shape == (question.size,)
        assert np.linalg.norm(part) <= question.norm * (1 + 1e-12)
        nobody = BOUNDED[question.name](own[:0], question.numbers)
        assert not nobody.any()


@pytest.mark.parametrize(
    ("question", "values"),
    [
        (bounded_sum(-3, 2, 1), [-7.0]),
        (bounded_sum(0, 1, 2), [[5.0, 5.0]]),
        (bounded_mean(0, 1, 1), [9.0]),
        (bounded_histogram([0, 1], 3), [0.5, 0.5, 0.5, 0.5]),
        (bounded_tree(0, 1, 4, 2), [0.1, 0.1]),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_a_client_can_reach_what_is_accounted(question, values):
    part = BOUNDED[question.name](np.array(values), question.numbers)
    assert np.linalg.norm(part) == pytest.approx(question.norm, rel=1e-12)


@pytest.mark.parametrize("kind", [ClientNoise, ServerNoise], ids=["clients", "server"])
@pytest.mark.parametrize("gone", [0, 1])
def test_the_noise_has_the_deviation_that_the_answer_says(kind, gone):
    bins, n = 4000, 6
    noise = kind(2.0)
    seen = fl.analytics.private_histogram(
        [[]] * n,
        np.arange(bins + 1),
        values_per_client=3,
        noise=noise,
        dropouts=dict([(5, 1)][:gone]),
    )
    # Seven deviations of an estimate from so many.
    assert seen.counts.std() == pytest.approx(seen.deviation, rel=7 / math.sqrt(2 * bins))
    assert abs(seen.counts.mean()) < 7 * seen.deviation / math.sqrt(bins)
    assert seen.deviation >= 3 * 2.0  # z of three values in a bin
    assert seen.release.noise_multiplier >= 2.0
    if kind is ServerNoise:
        assert seen.deviation == 6.0


@NOISES
def test_sums_and_means_have_the_deviation_that_they_say(kind):
    data = [[float(u % 7)] * 1000 for u in range(4)]
    values = [np.array([row]).reshape(1, -1) for row in data]
    seen = fl.analytics.private_sum(values, low=0, high=10, noise=kind(1.0))
    errors = seen.value - np.repeat(6.0, 1000)
    assert errors.std() == pytest.approx(seen.deviation, rel=7 / math.sqrt(2000))
    assert seen.deviation >= 10 * math.sqrt(1000)

    repeats = []
    for _ in range(30):  # of few numbers, for a range that hardly cuts the quotient
        answer = fl.analytics.private_mean([1, 2, 3, 6], low=0, high=10, noise=ServerNoise(0.05))
        repeats.append((answer.value - 3) / answer.deviation)
    assert 0.3 < np.std(repeats) < 2
    assert abs(np.mean(repeats)) < 1.5


def test_the_rank_of_a_quantile_is_off_by_its_deviation():
    rng = np.random.default_rng(0)
    values = rng.normal(50, 10, (400, 10))
    for q in (0.1, 0.8):
        seen = fl.analytics.private_quantile(
            values, q, low=0, high=100, values_per_client=10, noise=ServerNoise(0.5),
            aggregator=fl.PlainSum(),
        )  # fmt: skip
        low, high = ((values <= seen.value + sign * seen.half_width).sum() for sign in (-1, 1))
        room = 7 * seen.rank_deviation
        assert low - room <= q * 4000 <= high + room
        one_count = 0.5 * 10 * math.sqrt(11)  # z of ten values in each of 11 levels
        assert one_count / 2 < seen.rank_deviation < one_count * math.sqrt(11)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_the_parts_are_those_of_least_squares(depth):
    size = 2**depth
    which = np.concatenate(
        [np.repeat(np.eye(2**level), size // 2**level, axis=1) for level in range(depth + 1)]
    )
    rng = np.random.default_rng(depth)
    tree = which @ rng.integers(0, 20, size) + rng.normal(size=len(which))
    expected = np.linalg.lstsq(which, tree, rcond=None)[0]
    np.testing.assert_allclose(parts(tree, depth), expected, atol=1e-9)

    part, deviation = found(tree, 0.7, depth)
    below = (np.arange(size) <= part) - 0.7
    assert deviation == pytest.approx(
        math.sqrt(below @ np.linalg.solve(which.T @ which, below)), rel=1e-9
    )


@NOISES
def test_nothing_beside_the_noisy_numbers_depends_on_a_client(kind):
    """A client with values, without, with one that is no number, and with one far outside."""
    questions = {
        "sum": lambda values: fl.analytics.private_sum(values, low=0, high=3, noise=kind(1.0)),
        "mean": lambda values: fl.analytics.private_mean(values, low=0, high=3, noise=kind(1.0)),
        "bins": lambda values: fl.analytics.private_histogram(values, [0, 1], noise=kind(1.0)),
    }
    for ask in questions.values():
        answers = [
            ask([own, [1.0], [2.0]]) for own in ([2.0], [], [math.nan], [1e300], [-math.inf])
        ]
        assert len({(answer.release, said(answer)) for answer in answers}) == 1
    nobody = questions["mean"]([[], [], []])  # is an answer like any other
    assert said(nobody) == said(questions["mean"]([1, 2, 3]))
    assert 0 <= nobody.value <= 3


def said(answer):
    """The whole report, but for seconds."""
    return json.dumps(untimed(answer.aggregator), sort_keys=True)


@NOISES
def test_what_an_answer_costs_can_be_charged(kind):
    pytest.importorskip("dp_accounting")
    multiplier = fl.privacy.noise_multiplier(
        epsilon=1.0, delta=1e-6, rounds=2, clients_per_round=1, population=1
    )
    ledger = fl.privacy.Ledger(delta=1e-6, budget=1.0)
    names = ["ann", "bob", "eve", "joe"]
    everybody = fl.SecureSum(threshold=4, corrupt=0)  # of fewer honest ones each gives more
    for _ in range(2):
        seen = fl.analytics.private_sum(
            [1, 2, 3, 4], low=0, high=5, noise=kind(multiplier), aggregator=everybody
        )
        assert ledger.allows(names, seen.release)
        ledger.charge(names, seen.release)
    assert 0.5 < ledger.epsilon <= 1.0 + 1e-6
    assert not ledger.allows(["ann"], seen.release)
    assert ledger.allows(["zoe"], seen.release)


@NOISES
def test_a_canary_in_a_histogram_is_seen_no_better_than_promised(kind):
    """The client's only value is in one bin, or it has none; everybody else's place is known."""
    multiplier, repeats = 0.5, 800
    question = bounded_histogram([0.0, 1.0, 2.0], 1)
    summed = kind(multiplier).aggregator(fl.SecureSum(threshold=2), question.norm)
    shape = fl.aggregators.interface.SumShape(3, (question.size, 0), (), weighted=False)
    client, server = summed.client_side(shape, summed.announce(())), summed.server_side(shape, ())
    rng = np.random.default_rng(0)

    def part(values):
        return Contribution(
            BOUNDED[question.name](np.array(values), question.numbers), 1, np.zeros(0)
        )

    def once(values):
        words = [client.encode(part(own), rng) for own in (values, [1.5])]
        sums = {name: words[0][name] + words[1][name] for name in words[0]}
        return server.decode(sums, 2).total[1]

    seen = [np.array([once(values) for _ in range(repeats)]) for values in ([], [0.5])]
    assert 0.3 < least_mu(*seen, multiplier) * multiplier < 1
    pytest.importorskip("dp_accounting")
    ledger = fl.privacy.Ledger(delta=1e-5)
    zeros = {name: 2 * vector for name, vector in client.encode(part([]), rng).items()}
    ledger.charge(["canary"], fl.privacy.Release.of(server.decode(zeros, 2).extra["noise"]))
    assert 0.3 < least_epsilon(*seen, multiplier, 1e-5) < ledger.epsilon


ASK = {"low": 0, "high": 1, "noise": ServerNoise(1.0)}
REFUSED = {
    "no bound": (
        lambda: fl.analytics.private_sum([1, 2], **ASK | {"high": math.inf}),
        "two finite",
    ),
    "no range": (lambda: fl.analytics.private_mean([1, 2], **ASK | {"high": 0}), "ascending"),
    "too wide": (
        lambda: fl.analytics.private_mean([1], **ASK | {"low": -1.7e308, "high": 1.7e308}),
        "expected a finite difference",
    ),
    "any number of values": (
        lambda: fl.analytics.private_histogram(
            [1, 2], [0, 1], noise=ServerNoise(1.0), values_per_client=None
        ),
        "values_per_client is None, expected a whole number from 1",
    ),
    "none": (
        lambda: fl.analytics.private_quantile([1], 0.5, values_per_client=0, **ASK),
        "values_per_client is 0",
    ),
    "q": (lambda: fl.analytics.private_quantile([1, 2], 0, **ASK), r"q in \(0, 1\]"),
    "too fine": (
        lambda: fl.analytics.private_quantile([1, 2], 0.5, tolerance=1e-6, **ASK),
        "expected at least 1.52588e-05",
    ),
    "no noise": (
        lambda: fl.analytics.private_sum([1, 2], **ASK | {"noise": 1.0}),
        r"noise is 1.0, expected fl.analytics.ClientNoise",
    ),
    "silent": (lambda: ServerNoise(0.0), "noise_multiplier=0.0"),
    "silent clients": (lambda: ClientNoise(-1.0), "noise_multiplier=-1.0"),
    "clients in the clear": (
        lambda: fl.analytics.private_sum(
            [1, 2], **ASK | {"noise": ClientNoise(1.0), "aggregator": fl.PlainSum()}
        ),
        "noise of the clients in a PlainSum, expected a fl.SecureSum",
    ),
    "a sum of its own width": (
        lambda: fl.analytics.private_sum([1, 2], **ASK, aggregator=fl.SecureSum(bits=20)),
        "expected clip, bits, max_weight and coding as they are by default",
    ),
    "noise on noise": (
        lambda: fl.analytics.private_sum(
            [1, 2], **ASK, aggregator=fl.aggregators.ByNorm(fl.PlainSum(), 1.0)
        ),
        "noise on a ByNorm",
    ),
    "one client": (lambda: fl.analytics.private_sum([1], **ASK), "one client alone"),
    "nobody": (lambda: fl.analytics.private_sum([], **ASK), "no clients"),
}


@pytest.mark.parametrize(("ask", "message"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_bound_is_refused(ask, message):
    with pytest.raises(fl.errors.AggregationError, match=message):
        ask()


NOISY = {
    "clients": fl.SecureSum(coding=fl.aggregators.DistributedNoise(norm=1.0, noise_multiplier=1.0)),
    "server": fl.aggregators.CentralNoise(fl.aggregators.ByNorm(fl.PlainSum(), 1.0), 1.0),
}


@pytest.mark.parametrize("aggregator", NOISY.values(), ids=NOISY)
def test_an_exact_question_is_not_asked_with_noise(aggregator):
    for ask in (
        lambda **given: fl.analytics.secure_sum([1, 2], **given),
        lambda **given: fl.analytics.secure_histogram([1, 2], [0, 1], **given),
        lambda **given: fl.analytics.secure_quantile([1, 2], 0.5, low=0, high=3, **given),
    ):
        with pytest.raises(fl.errors.AggregationError, match="expected a sum without noise"):
            ask(aggregator=aggregator)
