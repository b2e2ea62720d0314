"""The seam: a plain and a secure sum of the same contributions are the same sum."""

import math
import re
import weakref
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fl
from fl.aggregators.codings.encoding import Encoding
from fl.aggregators.contribution import LARGEST, Contribution, Metric, Submission
from fl.aggregators.interface import Session
from fl.aggregators.secure import _graph
from fl.aggregators.thresholds import resolve_threshold
from secagg import Harary, LocalProtocolError, Params, TooFewClients, VectorSpec
from tests.helpers import aegis

CONTEXT = bytes(32)
AGGREGATORS = pytest.mark.parametrize(
    "aggregator", [fl.PlainSum(), fl.SecureSum()], ids=["plain", "secure"]
)


def contribution(delta, weight=1, metrics=(1.0,), statistics=()):
    return Contribution(np.float32(delta), weight, np.float64(metrics), np.float32(statistics))


def session(n, **changes):
    return Session(0, 0, [CONTEXT] * n, **changes)


def random_contributions(n, seed):
    rng = np.random.default_rng(seed)
    return [
        contribution(rng.normal(size=6), int(rng.integers(1, 16385)), rng.normal(size=3))
        for _ in range(n)
    ]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_secure_equals_plain_within_the_bound_whoever_drops(data):
    n = data.draw(st.integers(2, 8))
    most = n - resolve_threshold(None, n)
    gone = data.draw(st.lists(st.integers(0, n - 1), unique=True, max_size=most))
    dropouts = {u: data.draw(st.integers(0, 4)) for u in gone}
    bits = data.draw(st.sampled_from([24, 32, 33, 64]))
    contributions = random_contributions(n, data.draw(st.integers(0, 1000)))
    plain = fl.PlainSum().aggregate(contributions, session(n, dropouts=dropouts))
    secure = fl.SecureSum(bits=bits, clip=8.0).aggregate(
        contributions, session(n, dropouts=dropouts)
    )
    assert (secure.clipped, secure.survivors) == (0, plain.survivors)
    assert (secure.weight, secure.dropped) == (plain.weight, plain.dropped)
    rounding = 1e-14 * np.abs(plain.mean)
    assert (np.abs(secure.mean - plain.mean) <= secure.error_bound + rounding).all()
    np.testing.assert_allclose(secure.metrics, plain.metrics, rtol=1e-15, atol=1e-15)


def test_a_sum_of_another_suite_is_the_same_sum():
    contributions = random_contributions(3, 0)
    one = fl.SecureSum().aggregate(contributions, session(3))
    with aegis.stand_in():
        other = fl.SecureSum(suite="aegis128x2").aggregate(contributions, session(3))
    np.testing.assert_array_equal(one.mean, other.mean)
    with pytest.raises(LocalProtocolError, match="'aegis', expected one of"):
        fl.SecureSum(suite="aegis").check(3)


def test_clipped_coordinates_are_counted_and_only_then_do_the_sums_differ():
    contributions = [contribution([5.0, -9.0, 1.0]), contribution([1.0, 1.0, 1.0])]
    total = fl.SecureSum(clip=4.0).aggregate(contributions, session(2))
    assert (total.clipped, total.clipped_fraction, total.error_bound) == (2, 1 / 3, None)
    np.testing.assert_array_equal(total.mean, [2.5, -1.5, 1.0])


def test_unweighted_sums_have_a_finer_step():
    contributions = [contribution([0.3]), contribution([0.4])]
    weighted = fl.SecureSum().aggregate(contributions, session(2))
    unweighted = fl.SecureSum().aggregate(contributions, session(2, weighted=False))
    assert weighted.error_bound == unweighted.error_bound * 16384


SPOILT = {
    "nan in the update": (contribution([np.nan, 0], 5, [1], [1]), "non_finite"),
    "infinite update": (contribution([0, -np.inf], 5, [1], [1]), "non_finite"),
    "infinite statistics": (contribution([1, 1], 5, [1], [np.inf]), "non_finite"),
    "no examples": (contribution([1, 1], 0, [1], [1]), "empty"),
}


@AGGREGATORS
@pytest.mark.parametrize(("spoilt", "reason"), SPOILT.values(), ids=SPOILT)
def test_what_cannot_be_summed_is_zero_with_weight_zero_and_counted(aggregator, spoilt, reason):
    whole = [contribution([2, 4], 3, [7], [1]), contribution([4, 0], 1, [8], [3])]
    total = aggregator.aggregate([*whole, spoilt], session(3))
    counts = {name: getattr(total, name) for name in ("non_finite", "bad_weights", "empty")}
    assert counts == {"non_finite": 0, "bad_weights": 0, "empty": 0, reason: 1}
    assert (total.counted, total.weight, total.survivors) == (2, 4, [0, 1, 2])
    np.testing.assert_allclose(total.mean, [2.5, 3.0, 1.5], atol=total.error_bound)
    np.testing.assert_array_equal(total.metrics, [15])


def test_a_weight_beyond_the_largest_is_counted_and_nobody_says_whose_it_is():
    given = [contribution([1.0], 3), contribution([4.0], 16385), contribution([3.0], 1)]
    total = fl.SecureSum().aggregate(given, session(3))
    assert (total.bad_weights, total.weight, total.mean.tolist()) == (1, 4, [1.5])
    with pytest.warns(
        fl.errors.SumWarning, match="1 clients count for nothing because of their weight"
    ):
        total.warn()
    assert fl.PlainSum().aggregate(given, session(3)).weight == 16389


METRICS = (Metric("examples", 1, 9), Metric("loss", 2), Metric("mape", 1))


@AGGREGATORS
def test_each_metric_fails_by_itself_and_under_its_name(aggregator):
    given = [
        contribution([1.0], 2, [5, 1.5, 1, np.nan]),
        contribution([2.0], 2, [4.5, np.inf, 1, 7.0]),  # no whole number of examples
        contribution([3.0], 2, [4, 2.5, 1, 1e39]),  # beyond float32
        contribution([np.nan], 2, [4, 2.5, 1, 8.0]),
    ]
    total = aggregator.aggregate(given, session(4, metrics=METRICS))
    assert total.mean.tolist() == [2.0]
    assert total.metrics.tolist() == [9.0, 4.0, 2.0, 7.0]
    assert total.report()["non_finite"] == {"update": 1, "examples": 1, "loss": 1, "mape": 2}


@AGGREGATORS
def test_a_metric_that_nobody_gave_is_nan_and_a_count_zero(aggregator):
    given = [contribution([1.0], 2, [5, np.nan, 1, 3.0]), contribution([1.0], 2, [-1, 1, 1, 2.0])]
    given[1].metrics[1] = np.inf
    total = aggregator.aggregate(given, session(2, metrics=METRICS))
    np.testing.assert_array_equal(total.metrics, [5.0, np.nan, np.nan, 5.0])
    given[0].metrics[0] = 10  # more than the most
    total = aggregator.aggregate(given, session(2, metrics=METRICS))
    np.testing.assert_array_equal(total.metrics, [0.0, np.nan, np.nan, 5.0])


@pytest.mark.parametrize("metric", [LARGEST, -LARGEST, 1e12, 1e-12, 2.0**-149, 1 / 3])
def test_the_largest_and_the_smallest_metrics_add_up_exactly(metric):
    total = fl.SecureSum().aggregate([contribution([0], 1, [metric])] * 3, session(3))
    assert total.metrics.tolist() == [float(3 * Fraction(metric))]


@AGGREGATORS
@pytest.mark.parametrize("weight", [1, 16384])
def test_statistics_are_summed_exactly_whatever_their_size(aggregator, weight):
    given = [
        contribution([0.5], weight, statistics=[5e4, 1e-30, LARGEST]),
        contribution([0.5], weight, statistics=[-1e9, 3e-30, LARGEST]),
    ]
    total = aggregator.aggregate(given, session(2))
    rows = [g.statistics.astype(np.float64) for g in given]
    np.testing.assert_array_equal(total.total[1:], weight * (rows[0] + rows[1]))
    assert total.clipped == 0


def test_without_a_clip_the_update_is_exact_too_and_its_cost_is_known():
    given = [contribution([-20.25, 1e9], 7), contribution([1e-9, 3.0], 2)]
    total = fl.SecureSum(clip=None).aggregate(given, session(2))
    rows = [7 * given[0].delta.astype(np.float64), 2 * given[1].delta.astype(np.float64)]
    np.testing.assert_array_equal(total.total, rows[0] + rows[1])
    assert total.error_bound < 1e-40
    # at ten clients five words of 64 bits each, where ±clip takes 32 bits
    wide = [contribution(np.zeros(1000))] * 10
    exact, clipped = (
        fl.SecureSum(clip=clip).aggregate(wide, session(10)).bytes_up for clip in (None, 4.0)
    )
    assert exact - clipped == pytest.approx(1000 * (40 - 4), rel=0.01)


def test_what_a_contribution_and_a_submission_show_is_nothing_of_a_client():
    given = contribution([0.123], 17321, [0.456], [0.789])
    shown = repr(given) + repr(Submission.of(given, METRICS[1:2], 16384))
    assert "sizes=1, 1, 1" in shown  # the same for all
    assert not re.search(r"\d", shown.replace("sizes=1, 1, 1", ""))


@pytest.mark.parametrize("metrics", [(Metric("loss", 2),), METRICS])
def test_metrics_of_another_number_are_refused(metrics):
    with pytest.raises(
        fl.errors.AggregationError, match=r"of \(1, 0, 1\) numbers, expected \(1, 0, [24]\)"
    ):
        fl.SecureSum().aggregate([contribution([1])] * 2, session(2, metrics=metrics))


def test_a_client_that_was_told_something_else_cannot_share_a_session():
    contributions = [contribution([1.0])] * 6
    other = bytes([1]) * 32
    one = Session(0, 0, [*[CONTEXT] * 5, other])
    assert fl.SecureSum().aggregate(contributions, one).survivors == [0, 1, 2, 3, 4]
    # a zero learning rate to all but one: nobody shares anything with that one
    all_but_one = Session(0, 0, [CONTEXT, *[other] * 5])
    with pytest.raises(TooFewClients):
        fl.SecureSum().aggregate(contributions, all_but_one)


def test_no_frame_carries_the_update_in_the_clear():
    update = np.float32(np.linspace(-1, 1, 64))
    frames = []
    secure = fl.SecureSum(observer=lambda sender, receiver, frame: frames.append(frame))
    contributions = [contribution(update, 2), contribution(update, 3), contribution(update, 2)]
    total = secure.aggregate(contributions, session(3))
    scale = 3 / (total.error_bound * total.weight)
    ring = np.rint(update * 2 * scale).astype(np.int32).astype("<u4").tobytes()
    heard = b"".join(frames)
    for start in range(0, len(ring), 16):
        assert ring[start : start + 16] not in heard
    assert total.bytes_up + total.bytes_down == pytest.approx(len(heard) / 3, abs=2)


REFUSED = {
    "alone": ([contribution([1])], {}, fl.errors.AggregationError, "one client alone"),
    "threshold": (
        [contribution([1])] * 3,
        {"threshold": 4},
        fl.errors.AggregationError,
        "4 of 3 clients",
    ),
    "majority": ([contribution([1])] * 6, {"threshold": 3}, LocalProtocolError, "t"),
}


@pytest.mark.parametrize(("given", "options", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_the_secure_sum_refuses(given, options, error, message):
    with pytest.raises(error, match=message):
        fl.SecureSum(**options).aggregate(given, session(len(given)))


@pytest.mark.parametrize(
    ("options", "survivors"),
    [
        # ⌊(10 + 1)/2⌋ + 1 signatures make U3 the only one
        ({"corrupt": 0.1, "dropout": 0.2}, 6),
        ({"corrupt": 1, "dropout": 0.2}, 6),
        ({"corrupt": 0.19, "threshold": 8}, 8),
        # on a ring, the 4 nearest are neighbours, and 4 = 4/2 + 2 holders open a secret
        ({"graph": Harary(4), "threshold": 4, "corrupt": 0}, 6),
    ],
)
def test_the_protocols_parameters_follow_from_corrupt_and_dropout(options, survivors):
    contributions = [contribution([u / 4]) for u in range(10)]
    secure = fl.SecureSum(**options)
    total = secure.aggregate(contributions, session(10, dropouts={3: 1}))
    assert (total.threshold, len(total.survivors)) == (survivors, 9)
    np.testing.assert_allclose(total.mean, [42 / 4 / 9], atol=total.error_bound)


INCOMPLETE = {
    "no threshold": ({"threshold": 0}, "threshold=0, expected a number of clients from 1"),
    "above all": ({"threshold": 1.5}, "threshold=1.5, "),
    "text for bits": ({"bits": "32"}, r"bits='32', expected an int in 2\.\.64"),
    "too many bits": ({"bits": 65}, "bits=65"),
    "max_weight": ({"max_weight": 0}, "max_weight=0"),
    "a larger one": (
        {"max_weight": 2**29 + 1},
        r"max_weight=536870913, expected an int in 1\.\.536870912",
    ),
    "clip": ({"clip": float("nan")}, "clip=nan, expected a finite number above 0"),
    "dropout alone": ({"dropout": 0.1}, "dropout=0.1 without corrupt"),
    "threshold too": ({"dropout": 0.1, "corrupt": 0.1, "threshold": 7}, "threshold=7"),
    "graph too": ({"dropout": 0.1, "corrupt": 0.1, "graph": Harary(6)}, "graph=Harary"),
}


@pytest.mark.parametrize(("options", "message"), INCOMPLETE.values(), ids=INCOMPLETE)
def test_parameters_that_cannot_be_or_contradict_are_refused(options, message):
    with pytest.raises(fl.errors.AggregationError, match=message):
        fl.SecureSum(**options)


def test_an_input_is_encoded_when_its_client_takes_it(monkeypatch):
    encode, encoded = Encoding.encode, []

    def watched(self, *given):
        assert sum(seen() is not None for seen in encoded) <= 1
        vectors = encode(self, *given)
        encoded.append(weakref.ref(vectors["update"]))
        return vectors

    monkeypatch.setattr(Encoding, "encode", watched)
    total = fl.SecureSum().aggregate([contribution([1.0, 2.0])] * 5, session(5)).total
    assert (len(encoded), total.tolist()) == (5, [5.0, 10.0])


def test_the_report_names_the_graph_and_how_likely_it_fails():
    chosen = fl.SecureSum(corrupt=0.05, dropout=0.1)
    told = [
        secure.aggregate([contribution([1.0])] * 60, session(60)).report()["graph"]
        for secure in (chosen, fl.SecureSum())
    ]
    assert told == [
        {"kind": "harary", "k": 20, "failure_probability": 2.0**-41},  # of the samples alone
        {"kind": "complete", "k": 59, "failure_probability": 0.0},
    ]


def test_the_probability_in_the_report_is_that_of_the_parameters():
    params = Params.choose(1000, [VectorSpec("x", 1, 8)], corrupt=0.05, dropout=0.1)
    told = _graph(params)
    assert (told["kind"], told["k"]) == ("harary", 156)
    assert math.log2(told["failure_probability"]) == pytest.approx(params.leak)
    assert told["failure_probability"] <= 2.0**-40


def test_a_sparse_graph_without_corrupt_is_refused():
    with pytest.raises(LocalProtocolError, match="without t or corrupt"):
        fl.SecureSum(graph=Harary(2)).aggregate([contribution([1.0])] * 6, session(6))


@pytest.mark.parametrize(
    ("threshold", "n", "t"),
    [
        (None, 10, 7),
        (None, 2, 2),
        (None, 3, 3),
        (6, 10, 6),
        (0.55, 100, 55),
        (0.7, 10, 7),
        (1.0, 9, 9),
    ],
)
def test_thresholds(threshold, n, t):
    assert resolve_threshold(threshold, n) == t
