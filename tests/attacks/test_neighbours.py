"""A server that counts on it that a client checks its neighbours only, and a sample of U3.

Theorem 3 of docs/decisions/0013-a-client-checks-its-neighbours.md, on real clients on a ring of
100, each strategy with the check in its place and, beside it, without.
"""

from collections.abc import Callable
from functools import cache
from math import comb
from typing import Any

import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import secagg
from secagg import wire
from secagg.client import rounds
from secagg.errors import RemoteProtocolError
from secagg.graph import Harary
from secagg.identity import issue
from secagg.keys import Transcript
from secagg.messages import AdvertiseKeys, Roster, Signatures
from secagg.parameters import sample_size
from secagg.params import Params
from secagg.roster import CheckedRoster, RosterChecks
from secagg.simulation.checks import RememberedChecks
from tests.helpers.certificates import CA
from tests.helpers.dishonest import Coalition, harm
from tests.helpers.party import SPECS, Party, unsigned

N = 100
CHOSEN = Params.choose(N, SPECS, corrupt=0.05, dropout=0.1, graph="harary")


def coalition(**params: Any) -> Coalition:
    """100 clients, five of them corrupt, and the graph of `Params.choose`."""
    names = ("t", "corrupt", "min_roster", "min_survivors", "graph")
    chosen = {name: getattr(CHOSEN, name) for name in names}
    return Coalition(N, bad=5, checks=RememberedChecks(), **chosen | params)


def neighbours(party: Coalition, roster: Roster, u: int) -> set[int]:
    """N(u) in this roster, by id."""
    checked = party.parsed(roster)
    return {checked.ids[i] for i in party.row(checked, u)} - {u}


def with_entries(roster: Roster, *entries: AdvertiseKeys) -> Roster:
    """The roster with these entries in the places of their ids."""
    by_id = {e.u: e for e in roster.entries} | {e.u: e for e in entries}
    return Roster.of([by_id[u] for u in sorted(by_id)])


def forged(party: Coalition, u: int) -> AdvertiseKeys:
    """Keys of the server's own in the name of u, which nobody signed."""
    return unsigned(party.face(u), signature=bytes(64))


def play(party: Coalition, roster: Roster) -> set[int]:
    """An honest server's session from here on; who answered in the end."""
    there = {u for u in party.honest if party.show_roster(u, roster)}
    present = there | set(party.corrupt)
    for u in sorted(there):
        party.show_senders(u, neighbours(party, roster, u) & present)
    there = {u for u in there if party.seen[u].y is not None}
    for u in sorted(there):
        party.show_U3(u, there | set(party.corrupt))
    there = {u for u in there if party.seen[u].U3}
    for u in sorted(there):
        party.show_signatures(u)
    return {u for u in there if party.seen[u].answered}


# Entries that nobody signed.


def test_who_replaces_a_key_loses_the_neighbourhood_and_learns_nothing() -> None:
    party = coalition()
    victim = party.honest[40]
    roster = with_entries(party.roster(), forged(party, victim))
    play(party, roster)
    refused = set(party.honest) - party.seen.keys()
    assert refused == (neighbours(party, roster, victim) | {victim}) & set(party.honest)
    assert {party.clients[u].state for u in refused} == {"Aborted"}
    assert party.learned() == []


def test_without_the_check_it_reads_whoever_has_them_for_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All neighbours of one victim are the server: it holds its shares, and knows its masks."""
    monkeypatch.setattr(RosterChecks, "check_neighbour", lambda *_: None)
    party = coalition()
    victim = party.honest[0]
    roster = with_entries(party.roster(), *(forged(party, u) for u in party.honest[1:]))
    assert party.show_roster(victim, roster)
    assert party.show_senders(victim, neighbours(party, roster, victim))
    assert party.both_opened() == (victim,)
    [alone] = party.learned()
    assert alone.clients == (victim,)


@pytest.mark.parametrize("ghosts", [1, 5])
def test_a_ghost_under_a_corrupt_id_has_no_neighbour_that_goes_on(ghosts: int) -> None:
    party = coalition()
    entries = [forged(party, u) for u in party.corrupt[:ghosts]]
    roster = with_entries(party.roster(), *entries)
    near = set().union(*(neighbours(party, roster, e.u) for e in entries))
    went_on = {u for u in party.honest if party.show_roster(u, roster)}
    assert went_on == set(party.honest) - near
    assert all(not neighbours(party, roster, u) & {e.u for e in entries} for u in went_on)


def test_min_roster_filled_with_ghosts_gives_no_quorum() -> None:
    """Half of the clients never came: their places are taken, and their signatures are not."""
    party = coalition()
    absent = party.honest[48:]
    roster = with_entries(party.roster(party.honest[:48]), *(forged(party, u) for u in absent))
    assert len(roster) == N
    assert play(party, roster) == set()
    assert harm(party) is None
    assert party.learned() == []


def test_ids_that_no_authority_certified_are_refused_by_their_neighbours_alone() -> None:
    party = coalition(ca=CA)
    key = Ed25519PrivateKey.generate()
    lie = issue(key, 1005, key.public_key().public_bytes_raw())
    ghost = unsigned(party.face(party.corrupt[0]), u=1005, certificate=lie)
    entries = [e for e in party.roster().entries if e.u != party.corrupt[0]]
    roster = Roster.of([*entries, ghost])
    near = neighbours(party, roster, 1005)
    for u in party.honest:
        assert party.show_roster(u, roster) == (u not in near)


def test_what_a_false_certificate_claims_is_no_signer() -> None:
    """In the quorum its certificate is read: it does not count, whoever signed with its key."""
    party = Party(5, ca=CA).after(3)
    message: Any = party.outbox[10]
    roster: Any = party.server._round.rostered.roster  # type: ignore[union-attr]
    key = Ed25519PrivateKey.generate()
    lie = issue(key, 50, key.public_key().public_bytes_raw())
    entries = [unsigned(e, certificate=lie) if e.u == 50 else e for e in roster.columns.entries]
    false = CheckedRoster(Roster.of(entries), party.directory)
    body = rounds.ConsistencyCheck.body(message.signers)
    transcript = Transcript(party.params.digest(party.directory.digest), roster.digest)
    with pytest.raises(RemoteProtocolError, match="somebody else"):
        RosterChecks().check_signer(false, 4, transcript, body, transcript.sign(key, 3, 50, body))


def test_one_identity_key_under_two_ids_is_refused_by_everybody() -> None:
    """Also by who is a neighbour of neither: the claims are compared, not the signatures."""
    party = coalition(ca=CA)
    first, second = party.corrupt[:2]
    claimed = party.certificates[first][:32]
    twice = msgspec.structs.replace(
        party.face(second), certificate=claimed + party.certificates[second][32:]
    )
    roster = with_entries(party.roster(), twice)
    assert not any(party.show_roster(u, roster) for u in party.honest)


def test_a_directory_of_ones_own_that_has_one_key_twice_is_no_way_round() -> None:
    class Twice:
        digest = bytes(32)

        def identity(self, u: int, certificate: bytes, /) -> bytes:
            key = Ed25519PrivateKey.from_private_bytes(bytes(31) + bytes([u // 2]))
            return key.public_key().public_bytes_raw()

    entries = Party(4).after(0).outbox[10].entries  # type: ignore[union-attr]
    numbered = [unsigned(e, u=u) for u, e in enumerate(entries)]
    params = Params(4, SPECS, t=3)
    with pytest.raises(RemoteProtocolError, match="client 1 has the identity key of another"):
        RosterChecks().check_all(Roster.of(numbered), params, Twice())


# Bytes that were checked, and bytes that are used.


def test_what_was_checked_does_not_change_with_the_buffer_it_came_in() -> None:
    """A transport that uses its buffer again would let the server's next frame replace keys."""
    party = Party(20).after(0)
    buffer = bytearray(wire.encode(party.outbox[10]))
    party.clients[10].receive(buffer)
    party.collect(but=[10])
    state: Any = party.clients[10]._state
    true = bytes(state.roster.columns.keys)
    buffer[:] = bytes(len(buffer))
    assert state.roster.columns.keys == true
    assert state.roster.s_pk(5) == true[96 * 5 + 32 :][:32]


# A sample of the quorum.


def accepted(party: Coalition, u: int, valid: int, signers: int) -> Callable[[], bool]:
    """Whether u answers for a quorum with so many valid signatures, each time with a new draw."""
    seen, message = party.seen[u], party.signatures(u)
    false = [bytes(64)] * (signers - valid)
    quorum = Signatures.of(message.signers[:signers], [*message.signatures[:valid], *false])
    member, state = party.clients[u]._member, party.clients[u]._state
    transcript = member.transcript.with_roster(seen.roster.digest)

    def answers() -> bool:
        try:
            rounds._check_signatures(member, state, transcript, quorum)  # type: ignore[arg-type]
        except RemoteProtocolError:
            return False
        return True

    return answers


@cache
def at_round_4() -> Coalition:
    """Everybody has signed U3, and nobody has answered."""
    party = coalition()
    roster = party.roster()
    for u in party.honest:
        party.show_roster(u, roster)
    for u in party.honest:
        party.show_senders(u, neighbours(party, roster, u))
    for u in party.honest:
        party.show_U3(u, party.ids)
    return party


def test_one_signature_short_of_a_quorum_nobody_answers() -> None:
    party, needed = at_round_4(), CHOSEN.min_survivors
    short = accepted(party, party.honest[0], needed - 1, N)
    assert not any(short() for _ in range(200))


def test_a_quorum_passes_whichever_of_it_is_drawn() -> None:
    party = at_round_4()
    whole = accepted(party, party.honest[1], N, N)
    assert all(whole() for _ in range(20))


def test_a_short_list_is_checked_whole() -> None:
    """With just min_survivors signatures there is nothing to draw: one false one is seen."""
    party, needed = at_round_4(), CHOSEN.min_survivors
    assert not accepted(party, party.honest[2], needed - 1, needed)()
    assert accepted(party, party.honest[2], needed, needed)()


def test_a_sample_that_is_too_small_would_be_passed_as_often_as_the_formula_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The draw is uniform: of 100 signatures with 52 valid ones, three drawn are valid in .137."""
    party = at_round_4()
    monkeypatch.setattr(Harary, "quorum_checks", lambda *_: 3)
    valid = CHOSEN.min_survivors - 1
    answers = accepted(party, party.honest[3], valid, N)
    tries = 3000
    passed = sum(answers() for _ in range(tries))
    expected = comb(valid, 3) / comb(N, 3)
    assert abs(passed / tries - expected) < 4 * np.sqrt(expected * (1 - expected) / tries)


@pytest.mark.parametrize(("signers", "needed"), [(900, 526), (527, 526), (526, 526), (95, 53)])
def test_the_sample_is_the_least_that_keeps_its_promise(signers: int, needed: int) -> None:
    q, bits, n = sample_size(signers, needed, 41, 1000), 41, 1000

    def misses(size: int) -> bool:
        return comb(needed - 1, size) * n << bits > comb(signers, size)

    assert not misses(q) or q == needed
    assert misses(q - 1)


def test_all_signatures_are_sent_where_a_sample_is_checked() -> None:
    chosen = {"t": CHOSEN.t, "corrupt": CHOSEN.corrupt, "graph": CHOSEN.graph}
    sparse = Party(N, checks=RememberedChecks(), **chosen).after(3)
    complete = Party(13).after(3)
    counts = [len(party.outbox[10].signers) for party in (sparse, complete)]  # type: ignore[union-attr]
    assert counts == [N, complete.params.min_survivors]


def test_the_complete_graph_leaves_nothing_to_chance() -> None:
    graph = secagg.Complete()
    for signers in (67, 80, 100):
        assert graph.quorum_checks(signers, 67, 100) == 67
    assert graph.row(bytes(32), 100, 3).tolist() == list(range(100))
