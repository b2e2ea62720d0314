"""Checks that a simulation remembers: the same answers, and nothing that the core keeps itself."""

import pickle
import pkgutil
from importlib import import_module
from typing import Any

import msgspec
import pytest

import secagg
import secagg.client
from secagg import wire
from secagg.errors import RemoteProtocolError
from secagg.keys import Transcript
from secagg.messages import Roster
from secagg.roster import RosterChecks
from secagg.simulation.checks import RememberedChecks
from tests.helpers.party import Party


def asked(party: Party) -> Any:
    return party.outbox[10], party.params, party.directory


def transcript(party: Party) -> Transcript:
    return Transcript(party.params.digest(party.directory.digest))


def test_one_answer_for_all_who_ask_the_same() -> None:
    party = Party(5).after(0)
    message, params, directory = asked(party)
    remembered, forgetful = RememberedChecks(), RosterChecks()
    first = remembered.check_all(message, params, directory)
    decoded = wire.decode(wire.encode(message))
    assert remembered.check_all(message, params, directory) is first
    assert remembered.check_all(decoded, params, directory) is first
    assert forgetful.check_all(*asked(party)) is not forgetful.check_all(*asked(party))
    assert forgetful.check_all(*asked(party)).digest == first.digest


def test_a_client_is_checked_once() -> None:
    party, counted = Party(5).after(0), []

    class Counting(secagg.Pinned):
        def identity(self, u: int, certificate: bytes, /) -> bytes:
            counted.append(u)
            return super().identity(u, certificate)

    remembered = RememberedChecks()
    message, params, directory = asked(party)
    roster = remembered.check_all(message, params, Counting(dict(directory)))
    for _ in range(3):
        remembered.check_neighbour(roster, 2, transcript(party))
    assert counted == [30]


def test_another_transcript_or_signature_is_another_question() -> None:
    party = Party(5).after(0)
    message, params, directory = asked(party)
    remembered = RememberedChecks()
    true = remembered.check_all(message, params, directory)
    remembered.check_neighbour(true, 0, transcript(party))
    entry = msgspec.structs.replace(message.entry(0), signature=bytes(64))
    forged = Roster.of((entry, *message.entries[1:]))
    for _ in range(2):  # a refusal is one each time
        with pytest.raises(RemoteProtocolError, match="is not valid"):
            remembered.check_neighbour(true, 0, Transcript(bytes(32)))
    roster = remembered.check_all(forged, params, directory)
    for _ in range(2):
        with pytest.raises(RemoteProtocolError, match="is not valid"):
            remembered.check_neighbour(roster, 0, transcript(party))
    with pytest.raises(RemoteProtocolError, match="is not valid"):
        remembered.check_signer(roster, 0, transcript(party), b"U3", bytes(64))


def test_in_a_worker_all_jobs_share_those_of_their_process() -> None:
    one, other = (pickle.loads(pickle.dumps(RememberedChecks())) for _ in range(2))
    assert one is other


def test_clients_that_share_it_get_the_sum() -> None:
    party = Party(5, checks=RememberedChecks())
    assert party.finish().sum.tolist() == party.expected(tuple(party.ids))


def test_the_roster_and_the_client_remember_nothing_of_a_session() -> None:
    modules = [
        secagg.roster,
        *(
            import_module(f"secagg.client.{found.name}")
            for found in pkgutil.iter_modules(secagg.client.__path__)
        ),
    ]
    for module in modules:
        own = [v for v in vars(module).values() if getattr(v, "__module__", "") == module.__name__]
        assert not [value for value in own if hasattr(value, "cache_clear")]
