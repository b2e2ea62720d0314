"""Updates in few bits: as exact as is said, and never silently wrong where they do not fit."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fl
from fl.aggregators import Rotated
from fl.aggregators.codings.interface import Least
from fl.aggregators.codings.rotated import RotatedCode
from fl.aggregators.contribution import Contribution
from fl.aggregators.interface import Session, SumShape
from fl.aggregators.thresholds import resolve_threshold
from fl.experiment import Checkpoints
from fl.privacy.kept import projection
from tests.helpers.small import constant, one_weight

RARE = 1e-12  # of wraps, where a test must not see one


def session(n, **changes):
    return Session(changes.pop("number", 0), 0, [bytes(32)] * n, **changes)


def contributions(rng, n, size, weights):
    given = rng.normal(size=(n, size)).astype(np.float32)
    return [Contribution(row, w, np.float64([7.0])) for row, w in zip(given, weights, strict=True)]


def state(length, sums=1):
    return np.array(float(length)), np.array(float(sums))


def length_of(given):
    """The length of the longest sum that some of them can have."""
    return sum(each.weight * float(np.linalg.norm(each.delta)) for each in given)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_sum_is_within_its_bound_whoever_drops(data):
    n, size = data.draw(st.integers(2, 7)), data.draw(st.integers(1, 40))
    bits = data.draw(st.sampled_from([8, 9, 16, 17, 31, 32]))
    weights = data.draw(st.lists(st.integers(1, 500), min_size=n, max_size=n))
    gone = data.draw(st.lists(st.integers(0, n - 1), unique=True, max_size=n - resolve(n)))
    dropouts = {u: data.draw(st.integers(0, 4)) for u in gone}
    given = contributions(np.random.default_rng(size), n, size, weights)
    told = session(n, dropouts=dropouts, state=state(length_of(given)))
    rotated = fl.SecureSum(coding=Rotated(bits=bits, wraps=RARE))
    one, exact = rotated.aggregate(given, told), fl.PlainSum().aggregate(given, told)
    assert (one.weight, one.survivors) == (exact.weight, exact.survivors)
    assert (np.abs(one.mean - exact.mean) <= one.error_bound * (1 + 1e-9) + 1e-12).all()
    np.testing.assert_array_equal(one.metrics, exact.metrics)
    length, sums = one.state
    assert sums == 2
    longest = max(np.linalg.norm(one.total), 0.9 * length_of(given))
    assert length == pytest.approx(longest, rel=1e-12)


def resolve(n):
    return resolve_threshold(None, n)


def test_the_first_sum_is_that_of_a_clip_and_says_how_long_it_was():
    given = contributions(np.random.default_rng(0), 3, 6, [1, 2, 3])
    first = fl.SecureSum(coding=Rotated()).aggregate(given, session(3))
    clipped = fl.SecureSum().aggregate(given, session(3))
    np.testing.assert_array_equal(first.total, clipped.total)
    assert first.state[0] == pytest.approx(np.linalg.norm(first.total), rel=1e-12)
    assert first.state[1] == 1


def test_a_long_sum_fits_after_short_ones_and_is_forgotten_bit_by_bit():
    rotated, carried, fitted = fl.SecureSum(coding=Rotated()), (), []
    for length in (1.0, 0.01, 0.01, 1.0, *[0.01] * 40, 1.0):
        given = [Contribution(np.float32([length, 0, 0, 0]), 1, np.ones(1))] * 3
        total = rotated.aggregate(given, session(3, number=len(fitted), state=carried))
        carried = total.state
        fitted.append(not total.report().get("wrapped"))
    assert fitted == [True] * 44 + [False]


@pytest.mark.parametrize("keep", [0.25, 0.5, 0.9])
def test_with_some_coordinates_a_sum_is_right_on_average(keep):
    size, sums, rng = 64, 300, np.random.default_rng(1)
    update = rng.normal(size=size)
    norm2 = float(update @ update)
    drawn = []
    for number in range(1, sums + 1):
        code = code_of(Rotated(bits=24, keep=keep), size, (math.sqrt(norm2), number))
        coded = code.encode(update, 1, rng)
        drawn.append(code.decode(coded.words, 1, 1, coded.check))
    errors = np.array(drawn) - update
    expected = (1 / keep - 1) * norm2
    assert np.square(errors).sum(axis=1).mean() == pytest.approx(expected, rel=0.15)
    assert np.square(errors.mean(axis=0)).sum() < 3 * expected / sums
    assert code.rounding(1) == math.inf


def code_of(rotated, size, announced, n=4):
    return rotated.encoding(SumShape(n, (size, 0), ()), announced, Least(n, 0)).update


def test_the_length_that_is_announced_does_not_drift_where_coordinates_are_left_out():
    given = contributions(np.random.default_rng(2), 3, 200, [1, 1, 1])
    true = float(np.linalg.norm(sum(each.delta.astype(float) for each in given)))
    carried, lengths = state(true), []
    rotated = fl.SecureSum(coding=Rotated(bits=16, keep=0.3, wraps=RARE))
    for number in range(12):
        carried = rotated.aggregate(given, session(3, number=number, state=carried)).state
        lengths.append(float(carried[0]))
    assert np.mean(lengths) == pytest.approx(true, rel=0.15)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(4, 32), st.integers(1, 9), st.integers(1, 5), st.floats(0.1, 1e4), st.integers(0, 9)
)
def test_a_sum_that_wraps_is_noticed_whatever_wraps(bits, size, n, beyond, seed):
    """Beside it the same sum in words that are wide enough for all of it."""
    rng = np.random.default_rng(seed)
    updates = rng.normal(size=(n, size))
    scale = beyond * 2 ** (bits - 1) / np.linalg.norm(updates.sum(axis=0))
    mapped = projection(size, 1.0, bytes([seed]))
    narrow, wide = RotatedCode(mapped, scale, bits), RotatedCode(mapped, scale, 60)
    sums, checks = {}, {}
    for code in (narrow, wide):
        coded = [
            code.encode(update, 1, np.random.default_rng(u)) for u, update in enumerate(updates)
        ]
        total = sum(each.words.astype(object) for each in coded) % 2**code.bits
        sums[code.bits] = total.astype(np.uint64)
        checks[code.bits] = sum(each.check for each in coded) % 2**64
    assert checks[bits] == checks[60]
    true = np.array([int(x) - (int(x) >> 59 << 60) for x in sums[60].tolist()])
    fits = bool(((-(2 ** (bits - 1)) <= true) & (true < 2 ** (bits - 1))).all())
    decoded = narrow.decode(sums[bits], n, n, checks[bits])
    assert (decoded is not None) == fits
    if fits:
        np.testing.assert_array_equal(decoded, wide.decode(sums[60], n, n, checks[60]))


def test_no_more_sums_wrap_than_is_said():
    """Of the longest sums that there may be, all of whose length is in one direction."""
    size, n, wraps = 32, 3, 0.3
    rotated, wrapped = Rotated(bits=8, margin=1.0, wraps=wraps), 0
    update = np.eye(size)[0]
    for number in range(1, 401):
        code = code_of(rotated, size, (float(n), number), n)
        coded = [code.encode(update, 1, np.random.default_rng([number, u])) for u in range(n)]
        total = sum(each.words.astype(np.uint64) for each in coded) % np.uint64(2**8)
        check = sum(each.check for each in coded) % 2**64
        wrapped += code.decode(total, n, n, check) is None
    assert wrapped / 400 <= wraps


def test_a_round_that_wrapped_changes_no_weight_warns_and_the_next_one_succeeds(tmp_path):
    process = fl.build_weighted_fed_avg(
        one_weight, aggregator=fl.SecureSum(coding=Rotated(bits=8)), batch_size=1
    )
    reached = process.next(process.initialize(), [constant(0.01)] * 3).state
    assert reached.weights.to_vector() == pytest.approx([0.01], rel=1e-3)
    before = reached.weights.to_vector()
    data = [constant(0.01), constant(4.0), constant(0.02)]  # one is far longer than before
    with pytest.warns(fl.errors.SumWarning, match="did not fit its bits"):
        wrapped = process.next(reached, data)
    assert wrapped.metrics["aggregator"]["wrapped"]
    assert wrapped.metrics["client_work"]["train"]["num_examples"] == 3
    assert wrapped.metrics["finalizer"]["update_norm"] == 0
    np.testing.assert_array_equal(wrapped.state.weights.to_vector(), before)
    # The state is as good from a checkpoint.
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(wrapped.state, wrapped.state.round)
    after = process.next(checkpoints.latest(process.initialize()).state, data)
    expected = np.mean([0.0, 3.99, 0.01])
    assert after.state.weights.to_vector() - before == pytest.approx([expected], rel=1e-3)
    assert len(after.state.aggregator) == 2


def test_where_nobody_says_anything_the_next_sum_is_written_as_the_first():
    rotated, zeros = fl.SecureSum(coding=Rotated()), [Contribution(np.zeros(3), 1, np.ones(1))] * 3
    assert rotated.aggregate(zeros, session(3)).state == ()
    assert rotated.aggregate(zeros, session(3, state=state(7.0, 4))).state == state(6.3, 5)
    assert rotated.aggregate(zeros, session(3, state=state(2.0**-400, 4))).state == ()


@pytest.mark.parametrize("wrap", ["by norm", "adaptive"])
def test_around_it_updates_are_clipped_by_norm(wrap):
    inner = fl.SecureSum(coding=Rotated(bits=16, wraps=RARE, margin=4.0))
    aggregator = {
        "by norm": fl.aggregators.ByNorm(inner, 0.5),
        "adaptive": fl.aggregators.AdaptiveNorm(inner, initial=0.5),
    }[wrap]
    given, carried = contributions(np.random.default_rng(3), 4, 20, [1, 2, 3, 4]), ()
    for number in range(3):
        told = session(4, number=number, state=carried)
        total = aggregator.aggregate(given, told)
        norm = total.report()["clip_norm"]
        exact = fl.aggregators.ByNorm(fl.PlainSum(), norm).aggregate(given, session(4))
        assert (np.abs(total.mean - exact.mean) <= total.error_bound + 1e-7).all()
        assert total.report()["clip_fraction"] == 1.0
        carried = total.state
    assert len(carried) == {"by norm": 2, "adaptive": 3}[wrap]
    assert carried[-1] == 3


NONSENSE = [
    (math.nan, 1.0), (0.0, 1.0), (math.inf, 1.0), (-1.0, 1.0), (1e300, 1.0), (1e-300, 1.0),
    (1.0, 0.0), (1.0, -3.0), (1.0, math.nan), (1.0, math.inf), (1.0, 1e300), (1.0,),
    (1.0, 1.0, 1.0),
]  # fmt: skip


@pytest.mark.parametrize("announced", NONSENSE, ids=str)
def test_a_server_that_announces_nonsense_is_refused(announced):
    with pytest.raises(fl.errors.AggregationError, match=r"in the round's message, expected"):
        fl.SecureSum(coding=Rotated()).client_side(SumShape(3, (2, 0), ()), announced)


@pytest.mark.parametrize("announced", [(2.0**400, 1.0), (2.0**-400, 2.0**53), (1.0, 1.5)])
def test_what_is_at_the_edge_gives_numbers(announced):
    code = code_of(Rotated(margin=2.0**20), 3, announced)
    coded = code.encode(np.float32([0.0, 1.0, -1.0]), 1, np.random.default_rng(0))
    decoded = code.decode(coded.words, 1, 1, coded.check)
    assert decoded is None or np.isfinite(decoded).all()
    assert np.isfinite(code.rounding(1))


def test_a_client_that_was_told_another_length_is_in_another_session():
    sides = [
        fl.SecureSum(coding=Rotated()).client_side(SumShape(4, (3, 0), ()), told)
        for told in ((1.0, 1.0), (1.5, 1.0), ())
    ]
    params = [replace(side.params(bytes(32)), session=bytes(16)) for side in sides]
    assert len({each.context for each in params}) == 3
    # The number of sums turns the rotation: the message has it, and its digest is in the context.
    process = fl.build_weighted_fed_avg(one_weight, aggregator=fl.SecureSum(coding=Rotated()))
    begun = process.initialize()
    digests = {
        process.client_half.read(
            process.server_half.message(replace(begun, aggregator=state(1.0, sums)))
        ).digest
        for sums in (1, 2)
    }
    assert len(digests) == 2


@given(st.integers(2, 5000), st.integers(1, 10**6), st.floats(0.01, 1.0), st.floats(1e-9, 0.5))
def test_too_few_bits_are_refused_and_as_many_as_are_named_are_enough(n, size, keep, wraps):
    shape, least = SumShape(n, (size, 0), ()), Least(n, 0)
    with pytest.raises(fl.errors.AggregationError, match="bits are too few") as refused:
        Rotated(bits=4, keep=keep, wraps=1e-15)._room(10**6, 10**4)
    enough = int(str(refused.value).rpartition(" ")[2])
    Rotated(bits=enough, keep=keep, wraps=1e-15)._room(10**6, 10**4)
    try:
        Rotated(bits=4, keep=keep, wraps=wraps).encoding(shape, (), least)
    except fl.errors.AggregationError as error:
        enough = int(str(error).rpartition(" ")[2])
        Rotated(bits=enough, keep=keep, wraps=wraps).encoding(shape, (), least)
        with pytest.raises(fl.errors.AggregationError, match=f"at least {enough}"):
            Rotated(bits=enough - 1, keep=keep, wraps=wraps).encoding(shape, (), least)


def test_a_client_that_counts_for_nothing_is_counted_as_ever():
    given = contributions(np.random.default_rng(4), 4, 5, [1, 2, 3, 20000])
    given[1] = Contribution(np.float32([np.nan] * 5), 2, np.float64([7.0]))
    told = session(4, state=state(length_of(given[:1]) * 5))
    total = fl.SecureSum(coding=Rotated(bits=16, wraps=RARE)).aggregate(given, told)
    assert (total.non_finite, total.bad_weights, total.weight) == (1, 1, 4)
    assert total.report().get("wrapped") is None
