"""Crashes: whoever comes back goes on where it was, or says nothing; it never says two things."""

from dataclasses import fields, is_dataclass, replace
from typing import Any, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import secagg
from secagg import wire
from secagg.client import snapshot as client_snapshot
from secagg.client.snapshot import RESTORED
from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.messages import ServerMessage, Survivors
from secagg.server import snapshot as server_snapshot
from secagg.server.recovery import ShareTable
from secagg.server.session import Collected, Owners, Relayed
from secagg.snapshots import sealed
from tests.helpers.hosts import KEY, Fate, Host, PowerCut, Storm, restored
from tests.helpers.party import Party

VICTIM = 30
STATES = ("Advertised", "Shared", "Masked", "Checked", "Done")
CUTS = st.sets(st.integers(1, 250), max_size=12)


def hosted(round: int, u: int = VICTIM) -> tuple[Host, ServerMessage | None, bytes]:
    """u, on a host of its own, has just answered this round: the request and the reply."""
    party = Party(5)
    host = Host(party, u)
    party.clients[u] = host.client
    party.after(round - 1)
    request = party.outbox.get(u)
    return host, request, host.reply(request)


# Any crash, at any moment


@settings(deadline=None, max_examples=60)
@given(cuts=CUTS, absent=st.sampled_from([{}, {10: 1}, {50: 2}, {20: 3}, {30: 4}]))
def test_whoever_loses_power_and_whenever_the_sum_is_the_same(
    cuts: set[int], absent: dict[int, int]
) -> None:
    storm = Storm(Fate(cuts), lambda snapshots: snapshots[-1], absent)
    result = storm.play()
    calm = Party(5).after(4, absent=absent).server.result
    assert (result.survivors, result.dropped) == (calm.survivors, calm.dropped)
    assert result.sum.tolist() == calm.sum.tolist()
    assert storm.answered_twice() == []
    assert storm.released_both() == []


@settings(deadline=None, max_examples=60)
@given(cuts=CUTS, age=st.integers(0, 9), absent=st.sampled_from([{}, {10: 1}, {50: 2}, {20: 3}]))
def test_a_server_from_any_old_snapshot_gets_the_sum_or_an_error_and_no_second_answer(
    cuts: set[int], age: int, absent: dict[int, int]
) -> None:
    storm = Storm(Fate(cuts), lambda snapshots: snapshots[max(0, len(snapshots) - 1 - age)], absent)
    try:
        result = storm.play()
    except secagg.SecAggError:
        pass
    else:
        assert result.sum.tolist() == storm.party.expected(result.survivors)
    assert storm.answered_twice() == []
    assert storm.released_both() == []


def test_the_storm_reaches_every_step_of_a_session() -> None:
    storm = Storm(Fate(), lambda snapshots: snapshots[-1])
    assert storm.play().dropped == {}
    assert storm.fate.moment == 5 * (5 * 7 + 1)  # CUTS reaches beyond the end
    assert all(len(host.held) == 4 for host in storm.hosts.values())
    assert all(len(frames) == 1 for frames in storm.left.values())


# The client: one request, one reply


@pytest.mark.parametrize("round", range(5))
def test_the_same_request_gets_the_same_bytes_however_often_it_is_restored(round: int) -> None:
    host, request, reply = hosted(round)
    assert host.reply(request) == reply
    for _ in range(3):
        host.restart()
        assert host.client.state == STATES[round]
        assert host.reply(request) == reply
        assert request is None or wire.encode(host.client.receive(wire.encode(request))) == reply


@pytest.mark.parametrize("round", range(1, 4))
def test_another_request_of_an_answered_round_aborts(round: int) -> None:
    host, request, _ = hosted(round)
    host.restart()
    another = Party(5, session=b"another session ").after(round - 1).outbox[VICTIM]
    with pytest.raises(RemoteProtocolError, match=f"while the client is {STATES[round]}"):
        host.client.receive(another if round < 3 else Survivors((10, 20, 30, 40)))
    assert host.client.state == "Aborted"
    for _ in range(2):
        with pytest.raises(LocalProtocolError, match="Aborted"):
            host.reply(request)
        host.restart()
    assert host.client.state == "Aborted"


def test_a_client_that_is_done_says_its_last_word_again_and_no_other() -> None:
    host, request, reply = hosted(4)
    host.restart()
    with pytest.raises(LocalProtocolError, match="Done"):
        host.client.receive(Survivors((10, 20, 30, 40)))
    assert host.reply(request) == reply


def test_a_client_that_has_begun_does_not_begin_again() -> None:
    host, _, _ = hosted(1)
    host.restart()
    with pytest.raises(LocalProtocolError, match="is Shared, expected one that is Created"):
        host.client.start()


@pytest.mark.parametrize("round", range(4))
def test_an_abort_outlives_the_process(round: int) -> None:
    host, _, _ = hosted(round)
    with pytest.raises(RemoteProtocolError):
        host.client.receive(b"\x01\xc1")
    host.restart()
    assert host.client.state == "Aborted"


def test_a_client_without_a_store_keeps_no_reply() -> None:
    party = Party(5).after(0)
    client, message = party.clients[VICTIM], party.outbox[VICTIM]
    client.receive(message)
    with pytest.raises(RemoteProtocolError):
        client.receive(message)


# The host: generations


@pytest.mark.parametrize(
    ("round", "older"), [(round, older) for round in range(1, 5) for older in range(1, round + 1)]
)
def test_an_older_snapshot_is_refused(round: int, older: int) -> None:
    host, _, _ = hosted(round)
    expected = f"is of generation {older}, expected the host's, {round + 1}"
    with pytest.raises(LocalProtocolError, match=expected):
        host.restored(older)
    with pytest.raises(LocalProtocolError, match="does not open"):
        host.restored_from(relabelled(host.disk[older], round + 1), round + 1)


def relabelled(blob: bytes, generation: int) -> bytes:
    """The blob with another generation written on it."""
    return blob[:1] + generation.to_bytes(8, "little") + blob[9:]


def test_a_snapshot_that_the_host_never_counted_is_refused() -> None:
    host, _, _ = hosted(2)
    with pytest.raises(LocalProtocolError, match="is of generation 3, expected the host's, 2"):
        host.restored_from(host.disk[3], 2)


def test_a_restored_client_leaves_no_room_for_the_process_it_replaces() -> None:
    host, _, _ = hosted(2)
    first, message = host.client, Survivors((10, 20, 30, 40, 50))
    host.restart()
    with pytest.raises(PermissionError, match="generation 4 is not after 19"):
        first.receive(message)
    assert first.state == "Aborted"
    assert host.reply(message)


def test_generations_count_replies_and_restores() -> None:
    host, _, _ = hosted(1)
    assert host.generation == 2
    host.restart()
    host.restart()
    assert host.generation == 2 + 2 * RESTORED


# The store fails


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("round", range(5))
def test_no_reply_leaves_if_the_store_fails_and_the_process_is_of_no_more_use(
    round: int, step: int
) -> None:
    host, request, _ = hosted(round)
    # again from before this round, with a power cut at this step of the write
    host.generation = round
    host.disk.pop(round + 1)
    if round:
        host.restart()
    else:
        host.client = host.party.client(VICTIM, store=host.store)
    host.fate.cuts = {host.fate.moment + step}
    with pytest.raises(PowerCut):
        host.reply(request)
    assert host.client.state == "Aborted"
    with pytest.raises(LocalProtocolError):
        host.reply(request)
    host.restart()
    assert host.reply(request)


def test_a_blob_whose_write_failed_never_comes_back() -> None:
    """Its reply never left, and another one has: a host must not be tricked into sending it."""
    host, _, _ = hosted(2)
    host.fate.cuts = {host.fate.moment + 2}  # written, and not counted
    with pytest.raises(PowerCut):
        host.client.receive(Survivors((10, 20, 30, 40, 50)))
    left_over = host.disk.pop(4)
    host.restart()
    host.client.receive(Survivors((10, 20, 30, 40)))
    with pytest.raises(LocalProtocolError, match="is of generation 4, expected the host's, 20"):
        host.restored_from(left_over, host.generation)
    with pytest.raises(LocalProtocolError, match="does not open"):
        host.restored_from(relabelled(left_over, 20), host.generation)


def test_a_restore_that_failed_leaves_nothing_to_roll_back_to() -> None:
    """The process that it was to replace lives on, and answers: the blob is of before that."""
    host, _, _ = hosted(2)
    host.fate.cuts = {host.fate.moment + 2}
    with pytest.raises(PowerCut):
        host.restored(3)
    left_over = host.disk[max(host.disk)]
    host.client.receive(Survivors((10, 20, 30, 40, 50)))
    with pytest.raises(LocalProtocolError, match="expected the host's, 4"):
        host.restored_from(left_over, host.generation)


def test_a_process_whose_store_failed_does_not_repeat_earlier_replies_either() -> None:
    host, request, _ = hosted(2)
    host.fate.cuts = {host.fate.moment + 1}
    with pytest.raises(PowerCut):
        host.client.receive(Survivors((10, 20, 30, 40, 50)))
    with pytest.raises(LocalProtocolError, match="Aborted"):
        host.reply(request)


def test_a_rejection_that_could_not_be_stored_is_forgotten() -> None:
    """It said nothing that the server did not know: see decision 3."""
    host, _, _ = hosted(2)
    host.fate.cuts = {host.fate.moment + 1}
    with pytest.raises(PowerCut):
        host.client.receive(Survivors((10, 20)))
    host.restart()
    assert host.client.state == "Masked"
    assert host.reply(Survivors((10, 20, 30, 40, 50)))


# Blobs that are not this client's


def test_vectors_of_every_width_come_back_as_they_were() -> None:
    party = Party(5)
    specs = tuple(secagg.VectorSpec(f"{bits}", 2, bits) for bits in (3, 8, 13, 32, 64))
    party.params = replace(party.params, vectors=specs)
    party.inputs[VICTIM] = {s.name: np.array([1, 2**s.bits - 1], s.dtype) for s in specs}
    host = Host(party, VICTIM)
    host.client.start()
    before = host.client._state.vectors
    host.restart()
    after = host.client._state.vectors
    assert [(v.dtype, v.tolist()) for v in after] == [(v.dtype, v.tolist()) for v in before]


def test_a_blob_of_another_client_session_or_key_does_not_open() -> None:
    host, _, _ = hosted(2)
    blob = host.disk[3]
    others: tuple[dict[str, Any], ...] = (
        {"u": 20},
        {"session": b"another session "},
        {"context": b"another model"},
        {"store": secagg.SnapshotStore(bytes(32), host.write)},
        {"store": secagg.SnapshotStore(bytes(16), host.write)},
    )
    for other in others:
        with pytest.raises(LocalProtocolError, match="does not open"):
            host.restored_from(blob, 3, **other)
    with pytest.raises(LocalProtocolError, match="does not open"):
        host.restored_from(host.party.server.snapshot(KEY), 0)
    assert host.restored_from(blob, 3).state == "Masked"


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_a_blob_with_one_bit_flipped_is_refused(data: st.DataObject) -> None:
    host, _, _ = hosted(2)
    server = host.party.server
    for blob, restore in (
        (host.disk[3], lambda blob: host.restored_from(blob, 3)),
        (server.snapshot(KEY), lambda blob: restored(host.party, blob)),
    ):
        bit = data.draw(st.integers(0, 8 * len(blob) - 1))
        flipped = bytearray(blob)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(LocalProtocolError):
            restore(bytes(flipped))
        with pytest.raises(LocalProtocolError):
            restore(blob[: bit // 8])


def test_a_blob_says_nothing_of_what_it_holds() -> None:
    host, _, _ = hosted(0)
    state = host.client._state
    for secret in (state.c_sk, state.s_sk, state.b_u, host.party.inputs[VICTIM].tobytes()):
        assert secret not in host.disk[1]
    assert host.disk[1] != restarted(host).disk[host.generation]
    for shown in (repr(host.store), repr(host.client._snapshots), repr(state)):
        assert KEY.hex() not in shown
        assert repr(KEY)[2:20] not in shown
        assert repr(state.b_u)[2:20] not in shown


def restarted(host: Host) -> Host:
    host.restart()
    return host


@pytest.mark.parametrize("length", [0, 15, 24, 31, 33])
def test_a_key_is_16_or_32_bytes(length: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"key of {length} bytes, expected 16 or 32"):
        secagg.SnapshotStore(bytes(length), lambda blob, generation: None)
    with pytest.raises(LocalProtocolError, match=f"key of {length} bytes, expected 16 or 32"):
        Party(5).server.snapshot(bytes(length))


# The layout


def test_states_have_the_fields_that_layout_3_was_written_with() -> None:
    """If this fails, a blob of the last release would be misread: raise sealed.LAYOUT too."""
    kinds = [*client_snapshot._STATES.values(), *server_snapshot._KINDS.values()]
    kinds += [Relayed, Collected, Owners, ShareTable]
    layout = {kind.__name__: [f.name for f in fields(kind)] for kind in kinds}
    assert sealed.LAYOUT == 4
    assert all(map(is_dataclass, kinds))
    assert all(list(get_type_hints(kind)) == layout[kind.__name__] for kind in kinds)
    assert layout == {
        "Advertised": ["vectors", "c_sk", "s_sk", "b_u", "hello", "end_key"],
        "Shared": ["vectors", "s_sk", "b_u", "roster", "channels", "own_share", "end_key"],
        "Masked": ["roster", "absent", "held", "own_share", "end_key"],
        "Checked": ["roster", "U3", "held", "own_share", "end_key"],
        "Done": ["end_key"],
        "Ended": ["summed"],
        "Aborted": [],
        "Advertising": ["session", "answered", "identities", "identity_keys", "public_keys"],
        "Sharing": ["rostered", "relay", "answered"],
        "Collecting": ["rostered", "relayed", "accumulator", "answered"],
        "Checking": ["rostered", "collected", "answered"],
        "Opening": ["rostered", "collected", "U4", "table", "answered"],
        "Relayed": ["in_U2", "held", "sent"],
        "Collected": ["owners", "held", "accumulator", "U3"],
        "Owners": ["in_U3", "of_b", "of_s_sk"],
        "ShareTable": [
            "ids",
            "neighbourhoods",
            "shares",
            "received",
            "disputed",
            "budget",
        ],
        "Aggregate": ["vectors", "survivors", "dropped", "disputes"],
        "Failed": [],
    }
