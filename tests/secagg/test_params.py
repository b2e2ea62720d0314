"""One digest for one agreement, and no agreement under which the guarantees do not hold."""

import re
from dataclasses import FrozenInstanceError, replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from secagg import Complete, Harary, LocalProtocolError, Params, RemoteProtocolError, VectorSpec
from secagg.graph import CuriousOnlyHarary
from secagg.keys import Transcript

X = VectorSpec("x", 3, 8)
DIRECTORY = bytes(32)

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4).filter(str.isprintable)
specs = st.builds(VectorSpec, names, st.integers(1, 2**40 - 1), st.integers(1, 64))
vectors = st.lists(specs, min_size=1, max_size=3, unique_by=lambda spec: spec.name).map(tuple)

# Any combination of these is valid: 2t > n + corrupt, t <= min_survivors <= min_roster <= n.
fields = {
    "n": st.integers(20, 22),
    "vectors": vectors,
    "t": st.sampled_from([15, 16]),
    "corrupt": st.integers(0, 5),
    "min_roster": st.integers(18, 20),
    "min_survivors": st.integers(16, 18),
    "graph": st.sampled_from(
        [
            Complete(),
            Harary(16),
            Harary(16, privacy_bits=41),
            Harary(16, grinding_bits=65),
            CuriousOnlyHarary(16),
        ]
    ),
    "session": st.binary(min_size=16, max_size=20),
    "context": st.binary(max_size=40),
    "directory_digest": st.binary(min_size=32, max_size=32),
}


def digest_of(values: dict[str, object]) -> bytes:
    values = dict(values)
    directory_digest = values.pop("directory_digest")
    return Params(**values).digest(directory_digest)


# The digest


@given(st.fixed_dictionaries(fields), st.sampled_from(sorted(fields)), st.data())
def test_the_digest_changes_with_any_one_field(
    values: dict[str, object], name: str, data: st.DataObject
) -> None:
    other = data.draw(fields[name].filter(lambda value: value != values[name]))
    assert digest_of(values) != digest_of(values | {name: other})


@given(st.fixed_dictionaries(fields), st.sampled_from(sorted(fields)), st.data())
def test_fingerprints_say_which_field_differs(
    values: dict[str, object], name: str, data: st.DataObject
) -> None:
    other = data.draw(fields[name].filter(lambda value: value != values[name]))
    mine, theirs = fingerprints_of(values), fingerprints_of(values | {name: other})
    assert mine.keys() == theirs.keys()
    differing = [field for field in mine if mine[field] != theirs[field]]
    assert differing == [name.removesuffix("_digest")]


def fingerprints_of(values: dict[str, object]) -> dict[str, str]:
    values = dict(values)
    directory = SimpleNamespace(digest=values.pop("directory_digest"), identity=print)
    return Params(**values).fingerprints(directory)


@given(st.fixed_dictionaries(fields))
def test_the_same_agreement_has_the_same_digest(values: dict[str, object]) -> None:
    assert digest_of(values) == digest_of(values)
    assert len(digest_of(values)) == 32
    params = Params(**{name: values[name] for name in fields if name != "directory_digest"})
    assert replace(params) == params
    assert replace(params).digest(DIRECTORY) == params.digest(DIRECTORY)


@given(st.sampled_from(["name", "length", "bits"]), vectors, st.data())
def test_the_digest_changes_with_any_one_field_of_a_vector(
    field: str, drawn: tuple[VectorSpec, ...], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(drawn) - 1))
    new = {"name": "another", "length": drawn[place].length % 1000 + 1, "bits": 65}[field]
    if field == "bits":
        new = drawn[place].bits % 64 + 1
    if new == getattr(drawn[place], field):
        return
    changed = [*drawn[:place], replace(drawn[place], **{field: new}), *drawn[place + 1 :]]
    one, two = (Params(4, specs, session=bytes(16)) for specs in (drawn, changed))
    assert one.digest(DIRECTORY) != two.digest(DIRECTORY)


def digests(variants: list[dict[str, object]]) -> set[bytes]:
    common = {"n": 4, "vectors": [X], "session": bytes(16)}
    return {Params(**(common | variant)).digest(DIRECTORY) for variant in variants}


def test_the_order_and_the_number_of_vectors_count() -> None:
    y = VectorSpec("y", 3, 8)
    assert len(digests([{"vectors": v} for v in ([X], [y], [X, y], [y, X])])) == 4


def test_no_byte_moves_from_one_field_to_the_next() -> None:
    id = bytes(16)
    moved = [{"session": id + b"a", "context": b"c"}, {"session": id, "context": b"ac"}]
    assert len(digests(moved)) == 2
    named = [
        {"vectors": [VectorSpec(one, 1, 8), VectorSpec(two, 1, 8)]}
        for one, two in (("ab", "c"), ("a", "bc"))
    ]
    assert len(digests(named)) == 2


def test_two_sessions_differ_by_default() -> None:
    one, two = Params(4, [X]), Params(4, [X])
    assert len(one.session) == 16
    assert one.session != two.session
    assert one.digest(DIRECTORY) != two.digest(DIRECTORY)


# Defaults


@given(st.integers(2, 65520))
def test_the_defaults_of_the_complete_graph(n: int) -> None:
    params = Params(n, [X])
    assert params.graph == Complete()
    assert params.t == 2 * n // 3 + 1
    assert params.corrupt == max(min(2 * params.t - n - 1, params.t - 2), 0)
    assert params.min_roster == params.min_survivors
    assert params.min_survivors == max((n + params.corrupt) // 2 + 1, params.t)
    assert params.context == b""


@given(st.integers(2, 300), st.data())
def test_the_defaults_that_follow_from_t(n: int, data: st.DataObject) -> None:
    t = data.draw(st.integers(n // 2 + 1, n))
    params = Params(n, [X], t=t)
    assert (params.t, params.corrupt) == (t, min(2 * t - n - 1, t - 2))
    with pytest.raises(LocalProtocolError):
        Params(n, [X], t=t, corrupt=params.corrupt + 1)


@pytest.mark.parametrize(("n", "t"), [(2, 2), (3, 3), (9, 9)])
def test_a_sum_over_one_honest_client_is_refused(n: int, t: int) -> None:
    with pytest.raises(LocalProtocolError, match="expected 2 honest clients at least"):
        Params(n, [X], t=t, corrupt=t - 1)


def test_the_largest_default_session_by_hand() -> None:
    """n = 10: t = 7, corrupt = 3, and two U3 of 7 of 10 clients share 4 > corrupt."""
    params = Params(10, [X])
    assert (params.t, params.corrupt, params.min_survivors) == (7, 3, 7)


@given(st.integers(5, 60), st.data())
def test_two_survivor_sets_can_never_both_gather_their_signatures(
    n: int, data: st.DataObject
) -> None:
    """An honest client signs once: two quorums need more than n + corrupt signatures."""
    k = 2 * data.draw(st.integers(2, (n - 1) // 2))
    corrupt = data.draw(st.integers(0, k // 2 - 2))
    params = Params(n, [X], graph=Harary(k), t=k, corrupt=corrupt, min_roster=n)
    assert 2 * params.min_survivors > n + corrupt


# What is refused


@given(st.integers(2, 300), st.data())
def test_a_threshold_that_is_too_low_names_one_that_does(n: int, data: st.DataObject) -> None:
    corrupt = data.draw(st.integers(0, max(n - 3, 0)))  # more would leave one honest client
    t = data.draw(st.integers(-1, (n + corrupt) // 2))
    with pytest.raises(LocalProtocolError, match=f"^t={t} for n=.*, expected 2t > n") as refusal:
        Params(n, [X], t=t, corrupt=corrupt)
    least = int(re.search(r"at least t=(\d+)", str(refusal.value))[1])
    assert Params(n, [X], t=least, corrupt=corrupt).t == least
    with pytest.raises(LocalProtocolError):
        Params(n, [X], t=least - 1, corrupt=corrupt)


@given(st.integers(2, 300), st.data())
def test_a_threshold_that_withstands_nobody_names_one_that_does(
    n: int, data: st.DataObject
) -> None:
    """The caller gave no `corrupt`, so the refusal is about t."""
    t = data.draw(st.integers(-1, n // 2))
    with pytest.raises(LocalProtocolError, match=f"^t={t} for .* at least t={n // 2 + 1}$"):
        Params(n, [X], t=t)


@pytest.mark.parametrize("half", range(1, 9))
def test_a_sparse_threshold_is_in_its_range_or_the_range_is_named(half: int) -> None:
    k = 2 * half
    for corrupt, t in product(range(12), range(k + 2)):
        x, h = min(k, corrupt), min(half, corrupt)
        sparse = {"graph": Harary(k), "corrupt": corrupt}
        if 2 * t > k + 1 + x and half + 2 + h <= t <= k:
            assert Params(60, [X], t=t, **sparse).t == t
            continue
        with pytest.raises(
            LocalProtocolError, match=rf"t={t} for corrupt=\d+, expected one in \d+..k={k}"
        ) as refusal:
            Params(60, [X], t=t, **sparse)
        least = int(re.search(r"in (\d+)\.\.", str(refusal.value))[1])
        if least <= k:
            assert Params(60, [X], t=least, **sparse).t == least


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        ({"n": 1}, "n=1 clients, expected 2..65520"),
        ({"n": 0}, "n=0 clients"),
        ({"n": 65521}, "n=65521 clients, expected 2..65520"),
        ({"corrupt": -1}, "corrupt=-1, expected 0 or more"),
        (
            {"min_survivors": 6},
            "^min_survivors=6, min_roster=6, n=10, expected 7 <= min_survivors <= ",
        ),
        (
            {"min_survivors": 9, "min_roster": 8},
            "min_survivors=9, min_roster=8, n=10, expected 7 <=",
        ),
        ({"min_roster": 11}, "min_survivors=7, min_roster=11, n=10, expected"),
        ({"t": 11}, "min_survivors=11, min_roster=11, n=10, expected 11 <="),
        ({"vectors": []}, "0 vectors, .* expected 1 to 256 of distinct names"),
        ({"vectors": [X, VectorSpec("x", 9, 9)]}, r"2 vectors, \['x', 'x'\], expected"),
        ({"graph": Harary(4)}, "without t or corrupt"),
        ({"graph": Harary(4), "t": 4}, "without t or corrupt"),
        ({"graph": Harary(3), "t": 3, "corrupt": 0}, "k=3, expected an even k"),
        ({"graph": Harary(0), "t": 1, "corrupt": 0}, "k=0, expected an even k in 2"),
        ({"graph": Harary(6), "t": 5, "corrupt": 0, "min_roster": 6}, "k=6, .*2..min_roster-1=5"),
        ({"n": 10.0}, "n=10.0"),
        ({"n": np.int64(10)}, "n="),
        ({"t": 7.5}, "t=7.5"),
        ({"min_roster": 8.0}, "min_roster=8.0"),
        ({"session": "abc"}, "session"),
        ({"session": b""}, "id has 0 bytes, expected 16 or more"),
        ({"session": bytes(15)}, "id has 15 bytes, expected 16 or more"),
        ({"context": "abc"}, "context"),
    ],
)
def test_what_is_refused(arguments: dict[str, object], seen: str) -> None:
    good = {"n": 10, "vectors": [X]}
    assert Params(**good).n == 10
    with pytest.raises(LocalProtocolError, match=seen):
        Params(**(good | arguments))


def test_params_are_frozen() -> None:
    params = Params(4, iter([X]))
    assert params.vectors == (X,)
    with pytest.raises(FrozenInstanceError):
        params.t = 1  # type: ignore[misc]


# Vectors


@given(st.integers(1, 64))
def test_the_dtype_is_the_smallest_that_holds_the_bits(bits: int) -> None:
    dtype = VectorSpec("x", 1, bits).dtype
    assert dtype.kind == "u"
    assert dtype == dtype.newbyteorder("<")
    assert 8 * dtype.itemsize >= bits
    assert dtype.itemsize == 1 or 4 * dtype.itemsize < bits


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (("", 1, 8), "expected a printable one"),
        ((3, 1, 8), "expected a printable one"),
        (("x", 0, 8), "'x': length 0, expected"),
        (("x", -1, 8), "'x': length -1, expected"),
        (("x", 2**40, 8), "'x': length 1099511627776, expected"),
        (("x", 1.0, 8), "'x': length 1.0"),
        (("x", np.int64(1), 8), "'x': length"),
        (("x", 1, 0), "'x': 0 bits, expected 1..64"),
        (("x", 1, 65), "'x': 65 bits, expected 1..64"),
        (("x", 1, 8.0), "'x': 8.0 bits"),
    ],
)
def test_a_vector_that_is_refused(arguments: tuple[str, int, int], seen: str) -> None:
    with pytest.raises(LocalProtocolError, match=seen):
        VectorSpec(*arguments)


@pytest.mark.parametrize(
    ("vectors", "seen"),
    [
        ("update", "a str"),
        (X, "a VectorSpec"),
        (5, "a int"),
        (["update"], "a list with a str in it"),
        ([X, ("y", 3, 8)], "a list with a tuple in it"),
        ({"x": X}, "a dict with a str in it"),
    ],
)
def test_what_is_no_list_of_specs_is_told_what_is_expected(vectors: object, seen: str) -> None:
    told = f"vectors is {seen}, expected a list of secagg.VectorSpec(name, length, bits)"
    with pytest.raises(LocalProtocolError, match=re.escape(told)):
        Params(n=5, vectors=vectors)  # type: ignore[arg-type]


def test_a_signature_under_other_parameters_says_how_to_find_the_difference() -> None:
    key = Ed25519PrivateKey.generate()
    mine, theirs = (Params(5, [X], context=text).digest(DIRECTORY) for text in (b"a", b"b"))
    signature = Transcript(theirs).sign(key, 0, 3, b"body")
    with pytest.raises(RemoteProtocolError, match=r"Params\.fingerprints of the two hosts"):
        Transcript(mine).verify(key.public_key(), signature, 0, 3, b"body")
