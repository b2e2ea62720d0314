"""A server that crashes comes back as it was; one that comes back as it once was gets no sum."""

import numpy as np
import pytest

import secagg
from secagg import wire
from secagg.errors import LocalProtocolError, RemoteProtocolError, TooFewClients
from tests.helpers.hosts import KEY, Host, restored
from tests.helpers.party import SERVER_KEY, Party

SESSIONS = {
    "complete": {"n": 7, "t": 5},
    "sparse": {"n": 9, "t": 5, "min_roster": 8, "graph": secagg.Harary(6)},
}


@pytest.mark.parametrize("session", SESSIONS)
def test_a_server_restored_after_every_message_ends_in_the_same_sum(session: str) -> None:
    party, gone = Party(**SESSIONS[session], corrupt=0), {10: 2, 20: 3}
    for round in range(5):
        for u in party.outbox or party.ids:
            if gone.get(u, 5) > round:
                party.server.receive(u, party.answer(u))
                party.server = restored(party, party.server.snapshot(KEY))
        sent = party.server.close_round()
        party.server = restored(party, party.server.snapshot(KEY))
        party.outbox = party.server.outbox
        assert list(map(wire.encode, party.outbox.values())) == list(
            map(wire.encode, sent.values())
        )
        assert party.outbox.keys() == sent.keys()
    result = party.server.result
    assert result.dropped == gone
    assert result.sum.tolist() == party.expected(tuple(u for u in party.ids if u != 10))
    assert result.sum.dtype == np.uint16


def test_a_message_to_everybody_is_kept_once() -> None:
    small, large = Party(5).after(0), Party(20).after(0)
    sizes = [len(party.server.snapshot(KEY)) / len(party.ids) for party in (small, large)]
    # what grows with n for each client is its row of the relay, 112 bytes a neighbour
    assert sizes[1] - sizes[0] < 112 * 15 + 100


def test_disputes_and_drops_are_kept() -> None:
    party = Party(7, t=4, corrupt=0).after(3, absent={70: 1})
    party.collect(but=[10])
    truth = party.clients[10].receive(party.outbox[10])
    wrong = party.resealed(truth, lambda shares: bytes([shares[0] ^ 1]) + shares[1:])
    party.server.receive(10, wrong)
    party.server = restored(party, party.server.snapshot(KEY))
    party.close()
    again = restored(party, party.server.snapshot(KEY))
    assert again.state == "Aggregate"
    assert again.result.disputes == ((10, 10),)
    assert again.result.dropped == {70: 1}
    assert again.result.sum.tolist() == party.server.result.sum.tolist()


def test_a_failed_session_stays_failed() -> None:
    party = Party(5)
    with pytest.raises(TooFewClients):
        party.close()
    again = restored(party, party.server.snapshot(KEY))
    assert again.state == "Failed"
    with pytest.raises(LocalProtocolError, match="over"):
        again.close_round()


def test_a_server_that_sends_another_u3_than_before_gets_no_signature() -> None:
    """It comes back from before it closed round 2, and closes it without client 50."""
    party = Party(5).after(1)
    party.collect(but=[50])
    old = party.server.snapshot(KEY)
    party.server.receive(50, party.clients[50].receive(party.outbox[50]))
    party.close()
    party.collect()
    party.server = restored(party, old)
    party.close()
    for u, message in party.outbox.items():
        with pytest.raises(RemoteProtocolError, match="while the client is Checked"):
            party.clients[u].receive(message)
    with pytest.raises(TooFewClients, match="0 clients signed U3"):
        party.server.close_round()


def test_a_server_blob_of_another_session_or_key_does_not_open() -> None:
    party, host = Party(5).after(2), Host(Party(5), 30)
    host.reply(None)
    blob = party.server.snapshot(KEY)
    for other in (
        Party(5, session=bytes(16)),
        Party(5, context=b"another model"),
        Party(6),
    ):
        with pytest.raises(LocalProtocolError, match="does not open"):
            restored(other, blob)
    with pytest.raises(LocalProtocolError, match="does not open"):
        secagg.Server.restore(
            blob, bytes(32), party.params, directory=party.directory, private_key=SERVER_KEY
        )
    with pytest.raises(LocalProtocolError, match="generation 1"):
        restored(party, host.disk[1])
