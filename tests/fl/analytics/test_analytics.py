"""Analytics: the numbers that tutorials open with, through the protocol."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fl

AGGREGATORS = pytest.mark.parametrize("aggregator", [None, fl.PlainSum()], ids=["secure", "plain"])


@AGGREGATORS
def test_the_mean_of_local_means_is_7(aggregator):
    answer = fl.analytics.secure_mean([[1, 1, 1], [13]], aggregator=aggregator)
    assert answer.value == float(answer) == 7.0
    assert answer.error_bound < 1e-9
    kind = "plain" if aggregator else "secure"
    assert (answer.aggregator["kind"], answer.aggregator["survivors"]) == (kind, [0, 1])


@AGGREGATORS
def test_weighted_means_and_sums(aggregator):
    data = [[1, 1, 1], [13]]
    assert fl.analytics.secure_weighted_mean(data, aggregator=aggregator).value == 4.0  # 16 / 4
    # (2·1 + 1·13) / 3
    weighted = fl.analytics.secure_weighted_mean(data, [2, 1], aggregator=aggregator)
    assert weighted.value == 5.0
    assert fl.analytics.secure_sum(data, aggregator=aggregator).value == 16.0
    assert fl.analytics.secure_mean([68.5, 70.25, 69.75], aggregator=aggregator).value == 69.5


def test_a_client_may_have_more_values_than_an_update_has_examples():
    answer = fl.analytics.secure_weighted_mean([np.full(20_000, 3.0), [13.0] * 5000])
    assert answer.value == 5.0


def test_values_may_be_vectors():
    data = [[[1, 10], [3, 30]], [[4, -20]]]
    mean = fl.analytics.secure_mean(data)
    np.testing.assert_array_equal(mean.value, [3.0, 0.0])
    np.testing.assert_array_equal(fl.analytics.secure_sum(data).value, [8.0, 20.0])


def test_who_drops_out_is_not_in_the_answer():
    answer = fl.analytics.secure_mean([1, 2, 3, 50], dropouts={3: 2})
    assert answer.value == 2.0
    assert answer.aggregator["survivors"] == [0, 1, 2]
    answer = fl.analytics.secure_mean([1, 2, 3, 50], dropouts={3: 3})  # gone, but already counted
    assert answer.value == 14.0
    with pytest.raises(fl.errors.TooFewClients):
        fl.analytics.secure_mean([1, 2, 3, 50], dropouts={3: 2, 0: 2})


numbers = st.floats(-1000, 1000, allow_nan=False)
cohorts = st.lists(st.lists(numbers, min_size=1, max_size=4), min_size=2, max_size=4)


@settings(max_examples=20, deadline=None)
@given(cohorts)
def test_secure_and_plain_agree_within_their_bounds(data):
    for question in (
        fl.analytics.secure_mean,
        fl.analytics.secure_weighted_mean,
        fl.analytics.secure_sum,
    ):
        secure, plain = question(data), question(data, aggregator=fl.PlainSum())
        assert abs(secure.value - plain.value) <= secure.error_bound + plain.error_bound


@AGGREGATORS
def test_what_cancels_leaves_what_is_left(aggregator):
    assert fl.analytics.secure_sum([[1e16, 1, -1e16], [0]], aggregator=aggregator).value == 1.0
    assert fl.analytics.secure_sum([[1e16, 1], [-1e16]], aggregator=aggregator).value == 1.0
    assert fl.analytics.secure_mean(
        [[1e16, 3, 0], [-1e16 / 3] * 2], aggregator=aggregator
    ).value == (float((Fraction(10**16 + 3, 3) + Fraction(-1e16 / 3)) / 2))
    assert (
        fl.analytics.secure_sum([[0.1] * 10, [0.2]], aggregator=aggregator).value
        == 1.2000000000000002
    )


wide = st.floats(-1e38, 1e38).filter(lambda x: x == 0 or abs(x) > 1e-30)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(wide, min_size=1, max_size=4), min_size=2, max_size=4), st.data())
def test_without_a_range_an_answer_is_right_within_its_bound(values, data):
    weights = data.draw(st.lists(st.integers(1, 16384), min_size=len(values), max_size=len(values)))
    sums = [sum(map(Fraction, own)) for own in values]
    means = [total / len(own) for total, own in zip(sums, values, strict=True)]
    weighted = sum(w * mean for w, mean in zip(weights, means, strict=True)) / sum(weights)
    for aggregator in (None, fl.PlainSum()):
        ask = {"aggregator": aggregator}
        for answer, exact in (
            (fl.analytics.secure_sum(values, **ask), sum(sums)),
            (fl.analytics.secure_mean(values, **ask), sum(means) / len(means)),
            (fl.analytics.secure_weighted_mean(values, weights, **ask), weighted),
        ):
            assert abs(Fraction(answer.value) - exact) <= Fraction(answer.error_bound)
            assert answer.error_bound <= 1e-44 + 2 * np.spacing(abs(answer.value))


@AGGREGATORS
def test_a_histogram_counts_every_value_once(aggregator):
    data = [[0, 1, 1.5, 7], [2], [-3, 4, 4]]
    seen = fl.analytics.secure_histogram(data, [0, 1, 2, 4], aggregator=aggregator)
    np.testing.assert_array_equal(seen.counts, [1, 2, 3])  # 4 is in the last bin
    assert (seen.below, seen.above) == (1, 1)
    np.testing.assert_array_equal(seen.edges, [0, 1, 2, 4])


@AGGREGATORS
@pytest.mark.parametrize(("q", "expected"), [(0.25, 2), (0.5, 3), (0.75, 4), (1.0, 9)])
def test_quantiles_by_halving(aggregator, q, expected):
    data = [[1, 9, 2], [3, 3], [2, 5, 4]]  # 1 2 2 3 3 4 5 9: the 2nd, 4th, 6th and 8th
    answer = fl.analytics.secure_quantile(
        data, q, low=1, high=9, tolerance=0.01, aggregator=aggregator
    )
    assert abs(answer.value - expected) <= answer.error_bound <= 0.005
    assert answer.sessions == 1 + 10  # 8 / 2^10 is the first width of at most 0.01


@settings(max_examples=20, deadline=None)
@given(cohorts, st.integers(1, 100))
def test_quantiles_are_numpys_inverted_cdf(data, percent):
    answer = fl.analytics.secure_quantile(
        data, percent / 100, low=-1000, high=1000, aggregator=fl.PlainSum()
    )
    together = np.sort(np.concatenate(data))
    expected = together[-(-percent * together.size // 100) - 1]
    assert abs(answer.value - expected) <= answer.error_bound


def test_the_fraction_of_a_quantile_is_exact():
    # 55 of 100 ones: 0.55 of 100 is 55 values, though 0.55 · 100 is more in binary
    data = [[1.0] * 55, [2.0] * 45]
    answer = fl.analytics.secure_quantile(data, 0.55, low=0, high=4, aggregator=fl.PlainSum())
    assert abs(answer.value - 1) <= answer.error_bound


def test_the_fraction_of_a_quantile_is_exact_of_many_values():
    # count/size = q for each share of 10^8 values: a product rounded to nine digits missed some
    values = np.zeros(10**7, np.float32)
    values[-44 * 10**5 :] = 1
    data = [values[::2], values[1::2]]
    answer = fl.analytics.secure_quantile(
        data, 0.56, low=-1, high=2, tolerance=0.5, aggregator=fl.PlainSum()
    )
    assert abs(answer.value) <= answer.error_bound


def test_integers_that_float64_holds_are_taken_whatever_their_type():
    large = 2**62
    for values in ([large], np.array([large]), np.array([large], np.uint64), [large, 0.0]):
        assert fl.analytics.secure_sum([values, [-large], True]).value == 1.0


MEAN = "beyond the clip of the aggregator"
REFUSED = {
    "too large": (
        lambda: fl.analytics.secure_mean(
            [1, 2**21], aggregator=fl.SecureSum(clip=2.0**20, bits=64)
        ),
        fl.errors.AggregationError,
        f"1 numbers are {MEAN}",
    ),
    "beyond float32": (
        lambda: fl.analytics.secure_sum([1, 2, 1e39]),
        fl.errors.AggregationError,
        "1 clients have",
    ),
    "not finite": (
        lambda: fl.analytics.secure_mean([1, 2, np.nan]),
        fl.errors.AggregationError,
        "1 clients have",
    ),
    "one client": (
        lambda: fl.analytics.secure_mean([1]),
        fl.errors.AggregationError,
        "one client alone",
    ),
    "nobody": (lambda: fl.analytics.secure_mean([]), fl.errors.AggregationError, "no clients"),
    "no values": (
        lambda: fl.analytics.secure_mean([[], []]),
        fl.errors.NoExamples,
        "none of 2 clients",
    ),
    "words": (
        lambda: fl.analytics.secure_mean([[1], ["a"]]),
        fl.errors.DataError,
        "client 1: not an array",
    ),
    "numerals": (
        lambda: fl.analytics.secure_sum([[1], ["2"]]),
        fl.errors.DataError,
        "client 1: not an array",
    ),
    "complex": (
        lambda: fl.analytics.secure_sum([[1 + 2j], [1]]),
        fl.errors.DataError,
        "client 0: not an array",
    ),
    "nothing": (
        lambda: fl.analytics.secure_sum([[1.0], [None]]),
        fl.errors.DataError,
        "client 1: not an array",
    ),
    "dates": (
        lambda: fl.analytics.secure_sum([np.array(["2020-01-01"], "datetime64[D]"), [1]]),
        fl.errors.DataError,
        "client 0: not an array",
    ),
    "long floats": (
        lambda: fl.analytics.secure_sum([[1], [2**64]]),
        fl.errors.DataError,
        "client 1: not an array",
    ),
    "large integers": (
        lambda: fl.analytics.secure_sum([np.array([2**53 + 1, -(2**53)]), [0]]),
        fl.errors.DataError,
        "client 0: integers that float64 rounds",
    ),
    "large integers that a list makes floats": (
        lambda: fl.analytics.secure_sum([[0], [2**53 + 1, 0.5]]),
        fl.errors.DataError,
        "client 1: integers that float64 rounds",
    ),
    "large integers in a histogram": (
        lambda: fl.analytics.secure_histogram([np.array([2**60 - 1]), [0]], [0, 2.0**60, 2.0**61]),
        fl.errors.DataError,
        "client 0: integers that float64 rounds",
    ),
    "large edges": (
        lambda: fl.analytics.secure_histogram([[1], [0]], [0, 2**60 - 1]),
        fl.errors.AggregationError,
        "edges: integers that float64 rounds",
    ),
    "wide": (
        lambda: fl.analytics.secure_quantile([1, 2], 0.5, low=-1.7e308, high=1.7e308),
        fl.errors.AggregationError,
        "expected a finite difference",
    ),
    "shapes": (
        lambda: fl.analytics.secure_sum([[[1, 2]], [1]]),
        fl.errors.DataError,
        r"client 1: .*\(\)",
    ),
    "weights": (
        lambda: fl.analytics.secure_weighted_mean([1, 2], [1]),
        fl.errors.AggregationError,
        "1 weights",
    ),
    "heavy": (
        lambda: fl.analytics.secure_weighted_mean([1, 2, 3], [1, 2, 2**29 + 1]),
        fl.errors.AggregationError,
        "1 clients have a w",
    ),
    "zero": (
        lambda: fl.analytics.secure_weighted_mean([1, 2], [0, 0]),
        fl.errors.AggregationError,
        "sum to zero",
    ),
    "edges": (
        lambda: fl.analytics.secure_histogram([1, 2], [2, 1]),
        fl.errors.AggregationError,
        "ascending",
    ),
    "one edge": (
        lambda: fl.analytics.secure_histogram([1, 2], [1]),
        fl.errors.AggregationError,
        "at least two",
    ),
    "q": (
        lambda: fl.analytics.secure_quantile([1, 2], 0.0, low=0, high=1),
        fl.errors.AggregationError,
        r"q in \(0, 1\]",
    ),
    "not above": (
        lambda: fl.analytics.secure_quantile([1, 2], 0.5, low=1.5, high=3),
        fl.errors.AggregationError,
        "expected between low=1.5",
    ),
    "not below": (
        lambda: fl.analytics.secure_quantile([1, 2], 0.9, low=0, high=1),
        fl.errors.AggregationError,
        "expected between low=0 and high=1",
    ),
    "nan in a histogram": (
        lambda: fl.analytics.secure_histogram([1, np.nan], [0, 2]),
        fl.errors.AggregationError,
        "1 clients have",
    ),
    "nan in a quantile": (
        lambda: fl.analytics.secure_quantile([1, np.nan], 0.5, low=0, high=2),
        fl.errors.AggregationError,
        "1 clients have",
    ),
}


@pytest.mark.parametrize(("ask", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_answered_is_an_error(ask, error, message):
    with pytest.raises(error, match=message):
        ask()


def test_clients_that_were_asked_different_things_share_no_session():
    heard = []

    class Listening:
        def aggregate(self, contributions, session):
            heard.append(session.contexts[0])
            return fl.PlainSum().aggregate(contributions, session)

    fl.analytics.secure_histogram([1, 2], [0, 1, 2], aggregator=Listening())
    fl.analytics.secure_histogram([1, 2], [0, 1, 3], aggregator=Listening())
    fl.analytics.secure_mean([1, 2], aggregator=Listening())
    fl.analytics.secure_sum([1, 2], aggregator=Listening())
    assert len(set(heard)) == 4


def test_analytics_do_not_import_tensorflow():
    code = "import fl, sys; fl.analytics.secure_mean([1, 2]); sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
