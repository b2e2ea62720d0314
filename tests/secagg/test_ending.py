"""The end of a session: only the server's own counts, and a client that is told may forget."""

from typing import Any

import pytest

import secagg
from secagg import LocalProtocolError, RemoteProtocolError, wire
from secagg.messages import SessionEnd
from tests.helpers.certificates import CA
from tests.helpers.hosts import KEY, Host, restored
from tests.helpers.party import Party


@pytest.mark.parametrize("round", range(5))
def test_a_client_that_is_told_ends_in_any_round(round: int) -> None:
    party = Party(5).after(round, absent={50: round + 1})
    client = party.clients[50]
    if round < 4:
        party.server.abandon()
    summed = client.end(wire.encode(party.server.ends()[50]))
    assert summed is (round == 4)
    assert client.state == "Ended"
    for again in (client.receive, client.end):
        with pytest.raises(LocalProtocolError, match="Ended"):
            again(party.server.ends()[50])


def test_everybody_who_began_is_told_whatever_became_of_it() -> None:
    party = Party(5).after(4, absent={10: 3})
    assert sorted(party.server.ends()) == party.ids
    failed = Party(5)
    failed.collect(but=[10, 20])
    with pytest.raises(secagg.TooFewClients):
        failed.close()
    ends = failed.server.ends()
    assert sorted(ends) == [30, 40, 50]
    assert [failed.clients[u].end(ends[u]) for u in ends] == [False] * 3


def lies(party: Party) -> dict[str, Any]:
    """Ends that the server did not make for client 10."""
    truth = party.server.ends()[10]
    other = Party(5, session=b"another session ").after(4).server.ends()[10]
    return {
        "the other way round": SessionEnd(not truth.summed, truth.tag),
        "another client's": party.server.ends()[20],
        "another session's": other,
        "made up": SessionEnd(True, bytes(32)),
    }


@pytest.mark.parametrize("lie", lies(Party(5).after(4)))
def test_an_end_that_is_not_the_servers_changes_nothing(lie: str) -> None:
    party = Party(5).after(4)
    client = party.clients[10]
    with pytest.raises(RemoteProtocolError, match="wrong tag"):
        client.end(lies(party)[lie])
    assert client.state == "Done"
    assert client.end(party.server.ends()[10])


def test_what_is_no_end_ends_nothing() -> None:
    party = Party(5).after(1)
    client = party.clients[10]
    with pytest.raises(RemoteProtocolError, match="a Ciphertexts, expected a SessionEnd"):
        client.end(party.outbox[10])
    with pytest.raises(LocalProtocolError, match="the session goes on: the server is Collecting"):
        party.server.ends()
    client.receive(party.outbox[10])


def test_it_cannot_end_before_it_begins_nor_after_an_abort() -> None:
    party = Party(5).after(4)
    end = party.server.ends()[10]
    with pytest.raises(LocalProtocolError, match="Created"):
        party.client(10).end(end)
    aborted = Party(5).after(0).clients[10]
    with pytest.raises(RemoteProtocolError):
        aborted.receive(end)  # `receive` is for messages that are answered
    with pytest.raises(LocalProtocolError, match="Aborted"):
        aborted.end(end)


def test_a_host_keeps_that_it_has_ended_and_a_server_whom_to_tell() -> None:
    party = Party(5)
    host = Host(party, 10)
    party.clients[10] = host.client
    party.after(4)
    ends = party.server.ends()
    assert restored(party, party.server.snapshot(KEY)).ends() == ends
    host.restart()
    assert host.client.end(ends[10])
    host.restart()
    assert host.client.state == "Ended"


# What a driver asks.


def test_who_is_waited_for() -> None:
    party = Party(5, outsiders=1)
    assert party.server.waiting_for == {10, 20, 30, 40, 50, 60}
    party.collect(but=[20])
    assert party.server.waiting_for == {20, 60}
    party.close()
    assert party.server.waiting_for == {10, 30, 40, 50}
    party.collect()
    assert party.server.waiting_for == frozenset()
    party.close()
    party.after(4)
    assert party.server.waiting_for == frozenset()


def test_nobody_is_waited_for_once_n_have_begun() -> None:
    party = Party(5, outsiders=1)
    party.collect()
    assert party.server.waiting_for == frozenset()


def test_the_clients_of_an_authority_cannot_be_listed() -> None:
    party = Party(5, ca=CA)
    with pytest.raises(LocalProtocolError, match="Authority cannot be listed, expected a deadline"):
        _ = party.server.waiting_for
    party.collect()
    assert party.server.waiting_for == frozenset()
    party.close()
    assert party.server.waiting_for == set(party.ids)


def test_a_session_is_abandoned_once() -> None:
    party = Party(5).after(1)
    party.server.abandon()
    assert party.server.state == "Failed"
    with pytest.raises(LocalProtocolError, match="over already"):
        party.server.abandon()
    with pytest.raises(RemoteProtocolError, match="the session is over"):
        party.server.receive(10, party.clients[10].receive(party.outbox[10]))
