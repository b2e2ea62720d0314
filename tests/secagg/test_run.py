"""The sum is exactly right for every way in which clients drop out, or there is none."""

import subprocess
import sys
from collections.abc import Mapping
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import secagg
from secagg import (
    Harary,
    LocalProtocolError,
    Params,
    TooFewClients,
    VectorSpec,
    wire,
)
from secagg.masks.prg import RingVector
from secagg.messages import (
    AdvertiseKeys,
    Ciphertexts,
    ConsistencyCheck,
    MaskedInput,
    Roster,
    ShareKeys,
    Signatures,
    Survivors,
    Unmasking,
)
from secagg.server import recovery
from secagg.server.aggregate import Aggregate
from tests.helpers.party import SERVER_KEY, SERVER_PUBLIC
from tests.helpers.sessions import (
    STAYS,
    Damaged,
    Inputs,
    Recorder,
    Session,
    exact_sums,
    outcomes,
    play,
    predicted,
    random_inputs,
    sessions,
)
from tests.helpers.strategies import (
    MAX_ID,
    CounterRand,
    seeds,
    signing_key,
    signing_keys,
)

X = VectorSpec("x", 1, 8)

# The property


@settings(max_examples=3 * settings().max_examples)
@given(sessions())
def test_the_sum_is_exactly_right_or_there_are_too_few_clients(session: Session) -> None:
    seen, expected = outcomes(session)
    assert seen == expected


EXHAUSTIVE = [
    *[(2, 2, 2), (3, 2, 2), (3, 2, 3), (3, 3, 3), (4, 3, 3)],
    pytest.param(4, 3, 4, marks=pytest.mark.slow),
    pytest.param(4, 4, 4, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("n", "t", "min_survivors"), EXHAUSTIVE)
def test_every_dropout_pattern_of_at_most_four_clients(n: int, t: int, min_survivors: int) -> None:
    """The ids are not 0..n−1, nor in the order of the inputs."""
    clients = [2**40, 7, MAX_ID, 0][:n]
    params = Params(n, [X], t=t, corrupt=0, min_survivors=min_survivors, session=bytes(16))
    inputs = random_inputs(clients, params.vectors, n)
    everybody = {u: set(clients) for u in clients}
    sums = 0
    for pattern in product(range(STAYS + 1), repeat=n):
        rounds = dict(zip(clients, pattern, strict=True))
        drop = {u: r for u, r in rounds.items() if r != STAYS}
        result, expected = play(params, inputs, drop), predicted(params, rounds, everybody)
        if isinstance(expected, int):
            assert result is None, drop
            continue
        assert result is not None, drop
        sums += 1
        assert result.survivors == tuple(sorted(u for u, r in rounds.items() if r > 2))
        assert result.dropped == drop
        assert result.sum.tolist() == exact_sums(params.vectors, inputs, result.survivors)["x"]
    assert sums == summable(n, t, min_survivors)


def summable(n: int, t: int, min_survivors: int) -> int:
    """How many patterns end in a sum: by the sizes of U5 ⊆ U4, counted by hand.

    Of n clients the first `gone` drop in rounds 0..3 (4 ways each), `late` in round 4.
    """
    count = 0
    for gone in range(n - min_survivors + 1):
        for late in range(n - gone + 1):
            if n - gone - late >= t:
                ways = len(list(combinations(range(n), gone)))
                ways *= len(list(combinations(range(n - gone), late)))
                count += ways * 4**gone
    return count


@pytest.mark.parametrize("round", range(5))
@pytest.mark.parametrize(("n", "t"), [(5, 3), (7, 4), (7, 6)])
def test_exactly_t_remain_and_one_fewer(round: int, n: int, t: int) -> None:
    clients = [3 * u + 1 for u in range(n)]
    params = Params(n, [X], t=t, corrupt=0)
    inputs = random_inputs(clients, params.vectors, round)
    drop = dict.fromkeys(clients[: n - t], round)
    result = play(params, inputs, drop)
    assert result is not None
    U3 = clients if round > 2 else clients[n - t :]
    assert result.survivors == tuple(U3)
    assert result.sum.tolist() == exact_sums(params.vectors, inputs, U3)["x"]
    with pytest.raises(TooFewClients, match=rf"^\d+ clients .*, expected at least {t}$"):
        secagg.run(params, inputs, drop=dict.fromkeys(clients[: n - t + 1], round))


def test_round_4_needs_t_and_the_rounds_before_it_min_survivors() -> None:
    params = Params(7, [X], t=4, corrupt=0, min_survivors=5)
    inputs = random_inputs(range(7), params.vectors, 0)
    result = play(params, inputs, {0: 2, 1: 3, 2: 4})
    assert result is not None
    assert result.survivors == (1, 2, 3, 4, 5, 6)
    assert result.dropped == {0: 2, 1: 3, 2: 4}
    assert play(params, inputs, {0: 2, 1: 3, 2: 3}) is None
    assert play(params, inputs, {0: 2, 1: 4, 2: 4}) is not None
    assert play(params, inputs, {0: 2, 1: 4, 2: 4, 3: 4}) is None


# Numbers that trip others


@pytest.mark.parametrize("n", [26, 31, 32, 33, 65])
def test_sizes_that_trip_others(n: int) -> None:
    """All widths in one session; the largest words, so that a wider or a signed sum would show."""
    specs = [VectorSpec(f"{bits} bits", 1, bits) for bits in (8, 13, 24, 32, 33, 64)]
    params = Params(n, specs)
    inputs: Inputs = {
        1000 + u: {s.name: np.array([2**s.bits - 1 - u % 2], s.dtype) for s in specs}
        for u in range(n)
    }
    drop = {1000: 2, 1003: 3, 1007: 4, 1000 + n - 1: 1}
    result = play(params, inputs, drop)
    assert result is not None
    survivors = [u for u in inputs if drop.get(u, STAYS) > 2]
    assert result.survivors == tuple(survivors)
    assert result.dropped == drop
    assert {name: s.tolist() for name, s in result.vectors.items()} == exact_sums(
        specs, inputs, survivors
    )


@pytest.mark.parametrize("n", [26, 33])
def test_a_sparse_session(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first t shares of each owner combine: nothing has to be corrected."""

    def correct(*_: object) -> None:
        pytest.fail("honest shares were decoded as if some were wrong")

    monkeypatch.setattr(recovery, "correct", correct)
    params = Params(n, [X], t=7, corrupt=1, graph=Harary(8))
    inputs = random_inputs(range(n), params.vectors, n)
    result = play(params, inputs, {3: 2, 20: 4})
    assert result is not None
    assert result.survivors == tuple(u for u in range(n) if u != 3)
    assert result.sum.tolist() == exact_sums(params.vectors, inputs, result.survivors)["x"]


def ring_order(N: Mapping[int, set[int]]) -> list[int]:
    """Once around the cycle that Harary(2) is."""
    ring = [min(N), min(N[min(N)] - {min(N)})]
    while len(ring) < len(N):
        (following,) = N[ring[-1]] - set(ring[-2:])
        ring.append(following)
    return ring


def test_a_client_whose_neighbours_are_gone_is_left_out() -> None:
    """t = 11 of 16 neighbours and oneself: place 37 of this ring is left with 10."""
    params = Params(
        54, [X], t=11, corrupt=0, graph=Harary(16), session=bytes(16), server_key=SERVER_PUBLIC
    )
    clients, link = range(54), Recorder()
    inputs, keys = random_inputs(clients, params.vectors, 13), signing_keys(clients)

    def play_again(drop: dict[int, int]) -> Aggregate:
        rand = CounterRand(b"")  # the same roster, so the same ring
        return secagg.run(
            params,
            inputs,
            drop=drop,
            signing_keys=keys,
            rand=rand,
            link=link,
            private_key=SERVER_KEY,
        )

    assert play_again({}).dropped == {}
    N = link.closed_neighbourhoods(params.graph)
    ring = ring_order(link.closed_neighbourhoods(Harary(2)))
    gone = {ring[place]: 1 for place in (1, 2, 9, 14, 20, 29, 30, 34, 36, 38, 44, 45)}
    lonely = ring[37]
    assert not isinstance(predicted(params, {u: gone.get(u, STAYS) for u in clients}, N), int)

    result = play_again(gone)
    assert result.dropped == gone | {lonely: 2}
    assert result.survivors == tuple(u for u in clients if u not in gone and u != lonely)
    assert result.sum.tolist() == exact_sums(params.vectors, inputs, result.survivors)["x"]

    # one round later the client's secrets are dealt, its neighbours know its mask, and it is stuck
    with pytest.raises(
        TooFewClients, match=f"hold a share of client {lonely}, expected at least 11"
    ):
        play_again(dict.fromkeys(gone, 2))


def test_who_is_left_out_takes_others_along() -> None:
    """k = t = 4: beside a gap of two, a client has 3 of itself and its neighbours; and so on."""
    params = Params(
        13, [X], t=4, corrupt=0, graph=Harary(4), session=bytes(16), server_key=SERVER_PUBLIC
    )
    inputs, keys = random_inputs(range(13), params.vectors, 0), signing_keys(range(13))
    first, second = Recorder(), Recorder()
    secagg.run(
        params,
        inputs,
        signing_keys=keys,
        rand=CounterRand(b""),
        link=first,
        private_key=SERVER_KEY,
    )
    ring = ring_order(first.closed_neighbourhoods(Harary(2)))
    common = {
        "signing_keys": keys,
        "rand": CounterRand(b""),
        "link": second,
        "private_key": SERVER_KEY,
    }
    with pytest.raises(TooFewClients, match=r"^0 clients have 4 holders"):
        secagg.run(params, inputs, drop={ring[0]: 1, ring[1]: 1}, **common)
    assert set(second.told()) == {1}


@pytest.mark.parametrize("bits", [1, 8, 13, 24, 32, 33, 64])
@pytest.mark.parametrize("length", [1, 7, 8, 9])
def test_short_vectors_of_every_width(bits: int, length: int) -> None:
    spec = VectorSpec("x", length, bits)
    inputs = random_inputs([5, 1, 9], [spec], bits)
    result = play(Params(3, [spec], t=2), inputs, {1: 2})
    assert result is not None
    assert result.sum.tolist() == exact_sums([spec], inputs, [5, 9])["x"]


def test_a_vector_longer_than_the_chunks() -> None:
    """The masks are made 256 KiB at a time, the words packed 32768 at a time."""
    specs = [VectorSpec("a", 300_001, 13), VectorSpec("b", 70_000, 33)]
    inputs = random_inputs([4, 8, 15], specs, 0)
    result = play(Params(3, specs, t=2), inputs, {8: 2})
    assert result is not None
    for spec in specs:
        total = inputs[4][spec.name] + inputs[15][spec.name]
        assert (result.vectors[spec.name] == total & spec.dtype.type(2**spec.bits - 1)).all()


# What an aggregate says


def test_one_array_is_the_input_where_there_is_one_vector() -> None:
    inputs = {u: np.array([u], np.uint8) for u in (250, 3, 90)}
    result = secagg.run(Params(3, [X]), inputs)
    assert result.sum.tolist() == [(250 + 3 + 90) % 256]
    assert result.survivors == (3, 90, 250)
    assert result.dropped == {}
    assert inputs[250].tolist() == [250]


def test_fewer_clients_than_n_may_take_part() -> None:
    result = secagg.run(Params(9, [X], t=5), {u: np.array([1], np.uint8) for u in range(5)})
    assert result.sum.tolist() == [5]
    assert result.dropped == {}


def test_there_is_no_one_sum_of_two_vectors() -> None:
    specs = [X, VectorSpec("y", 2, 64)]
    result = secagg.run(Params(2, specs), random_inputs([0, 1], specs, 0))
    with pytest.raises(LocalProtocolError, match=r"vectors \['x', 'y'\], expected one"):
        _ = result.sum


def test_a_client_with_another_context_is_left_out() -> None:
    inputs = {u: np.array([1], np.uint8) for u in range(5)}
    result = secagg.run(Params(5, [X], context=b"model"), inputs, contexts={2: b"other model"})
    assert result.survivors == (0, 1, 3, 4)
    assert result.dropped == {2: 0}
    assert result.sum.tolist() == [4]


def test_clients_that_each_saw_another_context_share_no_session() -> None:
    inputs = {u: np.array([1], np.uint8) for u in range(5)}
    with pytest.raises(TooFewClients):
        secagg.run(Params(5, [X]), inputs, contexts={u: b"%d" % u for u in range(5)})


# The transcript


def transcript(seed: bytes, drop: Mapping[int, int]) -> list[tuple[int | None, int | None, bytes]]:
    link = Recorder()
    clients = [30, 10, 20, 2**62, 0]
    secagg.run(
        Params(5, [VectorSpec("x", 5, 13)], t=3, session=bytes(16), server_key=SERVER_PUBLIC),
        {u: np.arange(5, dtype=np.uint16) for u in clients},
        drop=drop,
        signing_keys=signing_keys(clients),
        rand=CounterRand(seed),
        link=link,
        private_key=SERVER_KEY,
    )
    return link.frames


@settings(max_examples=settings().max_examples // 6)
@given(st.binary(max_size=3), st.dictionaries(st.just(10), st.integers(0, 4)))
def test_a_session_is_a_function_of_its_randomness_and_keys(
    seed: bytes, drop: dict[int, int]
) -> None:
    assert transcript(seed, drop) == transcript(seed, drop)


def test_other_randomness_gives_other_frames() -> None:
    frames = [{frame for _, _, frame in transcript(seed, {})} for seed in (b"1", b"2")]
    common = {type(wire.decode(frame)) for frame in frames[0] & frames[1]}
    assert common == {Survivors}  # the clients and nothing else


def test_what_crosses_the_link() -> None:
    frames = transcript(b"", {20: 2, 30: 4})
    kinds = [(s, r, type(wire.decode(frame))) for s, r, frame in frames]
    everybody, stayed = [0, 10, 20, 30, 2**62], [0, 10, 30, 2**62]
    told = [
        (everybody, Roster, ShareKeys),
        (stayed, Ciphertexts, MaskedInput),
        (stayed, Survivors, ConsistencyCheck),
        ([0, 10, 2**62], Signatures, Unmasking),
    ]
    expected = [(u, None, AdvertiseKeys) for u in (30, 10, 20, 2**62, 0)]
    for clients, down, up in told:
        expected += [(None, u, down) for u in clients] + [(u, None, up) for u in clients]
    assert kinds == expected


@given(st.integers(0, 44), st.none() | st.integers(0, 8 * 1500), seeds)
@example(9, None, 0)
def test_one_lost_or_damaged_frame_costs_at_most_its_client(
    place: int, bit: int | None, seed: int
) -> None:
    """45 frames cross: 5 up and 4 down for each of 5 clients."""
    params = Params(5, [VectorSpec("x", 3, 13)], t=3, corrupt=0)
    inputs = random_inputs(range(5), params.vectors, seed)
    link = Damaged(place, bit)
    result = secagg.run(params, inputs, signing_keys=signing_keys(range(5)), link=link)
    assert link.count >= place
    assert len(result.survivors) >= 4
    assert len(result.dropped) <= 1
    assert result.sum.tolist() == exact_sums(params.vectors, inputs, result.survivors)["x"]


# What is refused


def ones(*clients: int) -> dict[int, RingVector]:
    return {u: np.ones(1, np.uint8) for u in clients}


@pytest.mark.parametrize(
    "drop", [{9: 1}, {1: 5}, {1: -1}, {1: 0, 2: 7}, {1: 2.5}, {1: "2"}, {1: None}]
)
def test_a_drop_of_nobody_or_in_no_round_is_refused(drop: dict[int, int]) -> None:
    u, round = list(drop.items())[-1]
    seen = rf"drop\[{u}\]={round}, expected one of the clients and a round in 0..4"
    with pytest.raises(LocalProtocolError, match=seen):
        secagg.run(Params(3, [X]), ones(1, 2, 3), drop=drop)


def test_more_clients_than_n_are_refused() -> None:
    with pytest.raises(LocalProtocolError, match="4 clients, expected at most n=3"):
        secagg.run(Params(3, [X]), ones(1, 2, 3, 4))


def test_no_clients_are_too_few() -> None:
    with pytest.raises(TooFewClients, match="0 clients advertised keys, expected at least 3"):
        secagg.run(Params(3, [X]), {})


@pytest.mark.parametrize(
    ("vector", "seen"),
    [
        (np.zeros(1, np.int8), r"int8\[1\], expected uint8\[1\]"),
        (np.zeros(1, np.uint16), r"uint16\[1\], expected uint8\[1\]"),
        (np.zeros(1, np.float64), r"float64\[1\], expected uint8\[1\]"),
        (np.zeros(2, np.uint8), r"uint8\[2\], expected uint8\[1\]"),
        (np.zeros(0, np.uint8), r"uint8\[0\], expected uint8\[1\]"),
        (np.zeros((1, 1), np.uint8), r"uint8\[1, 1\], expected uint8\[1\]"),
        (np.zeros((), np.uint8), r"uint8\[\], expected uint8\[1\]"),
        ({"x": [1]}, r"'x' is list, expected uint8\[1\]"),
        ({"x": b"\x01"}, r"'x' is bytes, expected uint8\[1\]"),
        ({"y": np.zeros(1, np.uint8)}, r"\['y'\], expected \['x'\]"),
        ({}, r"\[\], expected \['x'\]"),
        ({"x": np.zeros(1, np.uint8), "y": np.zeros(1, np.uint8)}, r"\['x', 'y'\], expected"),
        ([1], "list"),
        (None, "NoneType"),
        (7, "int"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(vector: object, seen: str) -> None:
    with pytest.raises(LocalProtocolError, match=seen):
        secagg.run(Params(3, [X]), ones(1, 2) | {3: vector})  # type: ignore[dict-item]


def test_words_of_the_other_byte_order_are_refused() -> None:
    spec = VectorSpec("x", 1, 32)
    inputs = {u: np.ones(1, ">u4") for u in range(3)}
    with pytest.raises(LocalProtocolError, match=r">u4\[1\], expected uint32\[1\]"):
        secagg.run(Params(3, [spec]), inputs)


def test_one_array_for_two_vectors_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match=r"\['x'\], expected \['x', 'y'\]"):
        secagg.run(Params(3, [X, VectorSpec("y", 1, 8)]), ones(1, 2, 3))


@pytest.mark.parametrize("u", [-1, 2**63, "1", 1.0, True, np.int64(4)])
def test_an_id_is_an_int_below_2_63(u: int) -> None:
    with pytest.raises(
        LocalProtocolError, match=r"client .*, expected an id that is an int in \[0, 2\^63\)"
    ):
        secagg.run(Params(4, [X]), ones(7, 8, 9) | {u: np.ones(1, np.uint8)})


def test_a_client_has_an_int_for_its_id() -> None:
    """A numpy number would find its key, and then has no bytes to sign."""
    with pytest.raises(
        LocalProtocolError, match=r"client .*4.*, expected an id that is an int in \[0, 2\^63\)"
    ):
        secagg.Client(
            np.int64(4),
            Params(2, [X]),
            np.ones(1, np.uint8),
            signing_key=signing_key(4),
            directory={4: signing_key(4).public_key().public_bytes_raw()},
        )


def test_a_client_without_its_signing_key_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="no signing key for client 3"):
        secagg.run(Params(3, [X]), ones(1, 2, 3), signing_keys=signing_keys([1, 2]))
    with pytest.raises(LocalProtocolError, match="no signing key for client 1"):
        secagg.run(Params(3, [X]), ones(1, 2, 3), signing_keys={})


def test_more_signing_keys_than_clients_are_the_directory() -> None:
    result = secagg.run(Params(3, [X]), ones(1, 2, 3), signing_keys=signing_keys(range(9)))
    assert result.survivors == (1, 2, 3)


def test_importing_the_protocol_imports_no_learning_and_no_command_line() -> None:
    program = (
        "import sys, secagg; others = {'tensorflow', 'keras', 'sklearn', 'typer', 'rich', 'fl'}; "
        "print(*(others | {'pyaegis'}) & set(sys.modules))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == ""
