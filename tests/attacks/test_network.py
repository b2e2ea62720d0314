"""One thing happens to one message of a session, and it costs its client the session at most.

Every client message is signed, and a client checks or authenticates all that it is sent: so after
any change the sum is exactly that of the survivors, and where t allows it there is a sum.
"""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import secagg
from secagg import wire
from secagg.errors import RemoteProtocolError, SecAggError, TooFewClients
from tests.helpers.party import SERVER_KEY
from tests.helpers.steady import Steady, Stream

SETTINGS = settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    database=None,
    suppress_health_check=list(HealthCheck),
)
Frame = tuple[int, bytes]
Change = Callable[[int, list[Frame]], list[Frame]]
"""(leg, [(client, frame), ...]) → what arrives, in order; leg 2r is up in round r, 2r+1 down"""

N, LEGS = 5, 9


def play(change: Change) -> tuple[Steady, secagg.Aggregate | SecAggError]:
    """A session across a network; whoever refuses a frame goes on as if it had never come."""
    party = Steady(N)
    frames = [(u, wire.encode(party.clients[u].start())) for u in party.ids]
    for leg in range(LEGS):
        replies: list[Frame] = []
        for u, frame in change(leg, frames):
            try:
                if leg % 2:
                    replies.append((u, wire.encode(party.clients[u].receive(frame))))
                else:
                    party.server.receive(u, frame)
            except SecAggError:
                continue
        if leg % 2:
            frames = replies
            continue
        try:
            outbox = party.server.close_round()
        except SecAggError as error:
            return party, error
        frames = [(u, wire.encode(message)) for u, message in outbox.items()]
    return party, party.server.result


def recorded() -> list[list[Frame]]:
    """What travels in an undisturbed session: the same in every run."""
    legs: list[list[Frame]] = []

    def record(leg: int, frames: list[Frame]) -> list[Frame]:
        legs.append(list(frames))
        return frames

    party, result = play(record)
    assert isinstance(result, secagg.Aggregate)
    assert result.sum.tolist() == party.expected(tuple(party.ids))
    return legs


TRUTH = recorded()
places = st.tuples(st.integers(0, LEGS - 1), st.integers(0, N - 1))


def check(change: Change, *, hit: set[int]) -> secagg.Aggregate:
    """The sum is right, and nobody but those that were hit is missing."""
    party, result = play(change)
    assert isinstance(result, secagg.Aggregate), f"{result} though t={party.params.t} could go on"
    assert result.sum.tolist() == party.expected(result.survivors)
    assert set(party.ids) - set(result.survivors) <= hit
    assert result.dropped.keys() <= hit
    return result


def at(place: tuple[int, int], change: Callable[[bytes], list[bytes]]) -> Change:
    """Change the frames of one client on one leg."""

    def changed(leg: int, frames: list[Frame]) -> list[Frame]:
        if leg != place[0]:
            return frames
        before, (u, frame), after = (
            frames[: place[1]], frames[place[1]], frames[place[1] + 1 :]
        )  # fmt: skip
        return [*before, *((u, arrived) for arrived in change(frame)), *after]

    return changed


def client_at(place: tuple[int, int]) -> int:
    return TRUTH[place[0]][place[1]][0]


@SETTINGS
@given(places, st.data())
def test_any_one_bit_is_flipped(place: tuple[int, int], data: st.DataObject) -> None:
    size = len(TRUTH[place[0]][place[1]][1])
    bit = data.draw(st.integers(0, 8 * size - 1))

    def flip(frame: bytes) -> list[bytes]:
        octets = bytearray(frame)
        octets[bit // 8] ^= 1 << bit % 8
        return [bytes(octets)]

    check(at(place, flip), hit={client_at(place)})


@settings(SETTINGS, max_examples=60)
@given(places, st.data())
def test_a_message_is_cut_short(place: tuple[int, int], data: st.DataObject) -> None:
    size = data.draw(st.integers(0, len(TRUTH[place[0]][place[1]][1]) - 1))
    result = check(at(place, lambda frame: [frame[:size]]), hit={client_at(place)})
    assert result.dropped or place[0] == 0


@settings(SETTINGS, max_examples=60)
@given(places, st.binary(min_size=1, max_size=40))
def test_a_message_is_extended(place: tuple[int, int], tail: bytes) -> None:
    result = check(at(place, lambda frame: [frame + tail]), hit={client_at(place)})
    assert result.dropped or place[0] == 0


@pytest.mark.parametrize("leg", range(LEGS))
def test_a_message_is_lost(leg: int) -> None:
    result = check(at((leg, 2), lambda frame: []), hit={client_at((leg, 2))})
    assert result.dropped == ({30: (leg + 1) // 2} if leg else {})


@pytest.mark.parametrize("leg", range(LEGS))
def test_a_message_arrives_twice(leg: int) -> None:
    """Up, the second is refused; down, it aborts the client, whose first answer is out by then."""
    result = check(at((leg, 2), lambda frame: [frame, frame]), hit={client_at((leg, 2))})
    last_down = LEGS - 2
    assert result.dropped == ({30: leg // 2 + 2} if leg % 2 and leg < last_down else {})


@settings(SETTINGS, max_examples=100)
@given(places, places)
def test_two_messages_change_places(one: tuple[int, int], other: tuple[int, int]) -> None:
    """In any round and direction; those of different legs arrive in each other's time."""
    frames = {one: TRUTH[other[0]][other[1]][1], other: TRUTH[one[0]][one[1]][1]}

    def swapped(leg: int, sent: list[Frame]) -> list[Frame]:
        return [
            (u, frames.get((leg, i), frame)) if len(sent) == N else (u, frame)
            for i, (u, frame) in enumerate(sent)
        ]

    party, result = play(swapped)
    if isinstance(result, secagg.Aggregate):
        assert result.sum.tolist() == party.expected(result.survivors)
        assert set(party.ids) - set(result.survivors) <= {client_at(one), client_at(other)}


@settings(SETTINGS, max_examples=60)
@given(st.integers(0, LEGS - 1), st.permutations(range(N)))
def test_the_messages_of_a_round_arrive_in_any_order(leg: int, order: list[int]) -> None:
    def shuffled(now: int, frames: list[Frame]) -> list[Frame]:
        return [frames[i] for i in order] if now == leg else frames

    result = check(shuffled, hit=set())
    assert result.survivors == (10, 20, 30, 40, 50)


@settings(SETTINGS, max_examples=40)
@given(places, places, st.data())
def test_two_messages_are_spoilt(
    one: tuple[int, int], other: tuple[int, int], data: st.DataObject
) -> None:
    """Fewer than t = 4 may be left: then it is the typed error."""
    bits = {(leg, 10 * i + 10): data.draw(st.integers(0, 250)) for leg, i in (one, other)}

    def flip(leg: int, frames: list[Frame]) -> list[Frame]:
        arrived = []
        for u, frame in frames:
            octets = bytearray(frame)
            if (leg, u) in bits:
                octets[bits[leg, u] // 8 % len(frame)] ^= 1 << bits[leg, u] % 8
            arrived.append((u, bytes(octets)))
        return arrived

    party, result = play(flip)
    if isinstance(result, secagg.Aggregate):
        assert result.sum.tolist() == party.expected(result.survivors)
    else:
        assert isinstance(result, TooFewClients)
        assert client_at(one) != client_at(other)


@pytest.mark.parametrize("round", range(5))
def test_every_bit_of_a_client_message_is_refused_by_the_server(round: int) -> None:
    """Not a sample: all bits of client 30's message of this round, one at a time."""
    party = Steady(N).after(round - 1)
    party.collect(but=[30])
    truth = wire.encode(party.answer(30))
    for bit in range(8 * len(truth)):
        octets = bytearray(truth)
        octets[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RemoteProtocolError):
            party.server.receive(30, bytes(octets))
    party.server.receive(30, truth)


@settings(SETTINGS, max_examples=100)
@given(st.integers(0, 44), st.integers(0, 2**15), st.sampled_from(["flip", "cut", "lose"]))
def test_through_the_link_of_run(number: int, where: int, what: str) -> None:
    """The same through the one-page session, whose every frame crosses `link`."""
    party, crossed = Steady(N), [0]

    def link(sender: int | None, receiver: int | None, frame: bytes) -> bytes | None:
        crossed[0] += 1
        if crossed[0] != number + 1:
            return frame
        octets = bytearray(frame)
        octets[where // 8 % len(frame)] ^= 1 << where % 8
        return {"flip": bytes(octets), "cut": frame[: where % len(frame)], "lose": None}[what]

    result = secagg.run(
        party.params,
        party.inputs,
        signing_keys=party.keys,
        rand=Stream("run"),
        link=link,
        private_key=SERVER_KEY,
    )
    assert len(result.survivors) >= N - 1
    assert result.sum.tolist() == party.expected(result.survivors)
    assert crossed[0] >= 45 - 9
