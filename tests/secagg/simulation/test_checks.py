"""Checks that a simulation remembers: the same answers, and nothing that the core keeps itself."""

import pickle
import pkgutil
from importlib import import_module
from typing import Any

import msgspec
import pytest

import secagg
import secagg.client
from secagg.errors import RemoteProtocolError
from secagg.keys import Transcript
from secagg.messages import Roster
from secagg.roster import SignatureChecks, identity_keys
from secagg.simulation.checks import RememberedChecks
from tests.helpers.party import Party


def asked(party: Party, roster: Roster) -> Any:
    keys = identity_keys(roster.entries, party.directory)
    return roster.entries, keys, Transcript(party.params.digest(party.directory.digest))


def test_one_answer_for_all_who_ask_the_same() -> None:
    party = Party(5).after(0)
    question = asked(party, party.outbox[10])  # type: ignore[arg-type]
    remembered, forgetful = RememberedChecks(), SignatureChecks()
    assert remembered.roster(*question) is remembered.roster(*question)
    assert forgetful.roster(*question) is not forgetful.roster(*question)
    assert RememberedChecks().roster(*question).entries == forgetful.roster(*question).entries


def test_another_transcript_or_signature_is_another_question() -> None:
    party = Party(5).after(0)
    roster: Any = party.outbox[10]
    remembered = RememberedChecks()
    entries, keys, transcript = asked(party, roster)
    remembered.roster(entries, keys, transcript)
    forged = msgspec.structs.replace(entries[0], signature=bytes(64)), *entries[1:]
    for question in ((entries, keys, Transcript(bytes(32))), (forged, keys, transcript)):
        for _ in range(2):  # a refusal is one each time
            with pytest.raises(RemoteProtocolError, match="is not valid"):
                remembered.roster(*question)


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
