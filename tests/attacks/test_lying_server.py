"""One lying server per check of a client: it aborts, and says nothing more to anybody."""

from typing import Any

import pytest

from secagg.errors import DecodeError, LocalProtocolError, RemoteProtocolError
from secagg.messages import (
    Ciphertexts,
    Roster,
    Signatures,
    Survivors,
)
from tests.helpers.lying_server import LIES, VICTIM, Lie
from tests.helpers.party import Party


@pytest.mark.parametrize(("round", "message", "lie"), LIES.values(), ids=LIES)
def test_the_client_aborts_and_says_nothing_more(round: int, message: str, lie: Lie) -> None:
    party = Party(5, outsiders=1).after(round)
    victim, truth = party.clients[VICTIM], party.outbox[VICTIM]
    with pytest.raises(RemoteProtocolError, match=message):
        victim.receive(lie(party, truth))
    assert victim.state == "Aborted"
    with pytest.raises(LocalProtocolError, match="Aborted"):
        victim.receive(truth)


@pytest.mark.parametrize("round", range(4))
def test_without_the_lie_the_client_goes_on(round: int) -> None:
    party = Party(5, outsiders=1).after(round)
    party.clients[VICTIM].receive(party.outbox[VICTIM])
    assert party.clients[VICTIM].state == ("Shared", "Masked", "Checked", "Done")[round]


def test_a_neighbour_without_a_ciphertext_cannot_come_back_as_a_survivor() -> None:
    party = Party(5).after(1, absent={50: 1})
    party.collect()
    with pytest.raises(RemoteProtocolError, match="sent client 30 no ciphertext"):
        party.clients[VICTIM].receive(Survivors((10, 20, 30, 40, 50)))


@pytest.mark.parametrize("round", range(4))
def test_undecodable_bytes_abort(round: int) -> None:
    victim = Party(5).after(round).clients[VICTIM]
    with pytest.raises(DecodeError):
        victim.receive(b"\x01\xc1")
    assert victim.state == "Aborted"


def test_every_state_and_every_message() -> None:
    """The legal pair advances; every other pair leaves the client Aborted."""
    recorded = Party(5)
    messages: list[Any] = []
    for round in range(5):
        recorded.after(round)
        messages += [recorded.replies[VICTIM], recorded.outbox.get(VICTIM)]
    messages.insert(0, recorded.server.ends()[VICTIM])  # an end is not for `receive`
    legal = {
        "Advertised": Roster,
        "Shared": Ciphertexts,
        "Masked": Survivors,
        "Checked": Signatures,
    }
    for round, (state, expected) in enumerate(legal.items()):
        for message in messages[:-1]:
            party = Party(5).after(round)
            victim = party.clients[VICTIM]
            assert victim.state == state
            if isinstance(message, expected):
                victim.receive(party.outbox[VICTIM])
                assert victim.state not in (state, "Aborted")
            else:
                with pytest.raises(RemoteProtocolError, match=f"while the client is {state}"):
                    victim.receive(message)
                assert victim.state == "Aborted"


def test_nothing_is_answered_before_the_start_or_after_the_end() -> None:
    party = Party(5).after(4)
    done = party.clients[VICTIM]
    assert done.state == "Done"
    with pytest.raises(LocalProtocolError, match="Done"):
        done.receive(Survivors(tuple(party.ids)))
    with pytest.raises(LocalProtocolError, match="Created"):
        party.client(VICTIM).receive(Survivors(tuple(party.ids)))
    with pytest.raises(LocalProtocolError, match="expected one that is Created"):
        done.start()


def test_no_round_is_answered_twice() -> None:
    for round in range(4):
        party = Party(5).after(round)
        victim, message = party.clients[VICTIM], party.outbox[VICTIM]
        victim.receive(message)
        with pytest.raises((RemoteProtocolError, LocalProtocolError)):
            victim.receive(message)
        assert victim.state in ("Aborted", "Done")
