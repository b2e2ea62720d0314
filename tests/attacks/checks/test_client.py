"""Each check of a client is removed in turn, and an attack that it stops succeeds."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from secagg.errors import SecAggError
from secagg.keys import id_bytes
from secagg.messages import AdvertiseKeys, SessionEnd, Signatures, Survivors
from tests.helpers.attacks import (
    a_digit_too_large_inside,
    client_takes,
    dealt,
    forged,
    man_in_the_middle,
    shared,
    two_views,
)
from tests.helpers.breaks import Attack, Attacks
from tests.helpers.dishonest import Coalition
from tests.helpers.hosts import Host
from tests.helpers.party import Party
from tests.helpers.removed import ROOMS

attacks = Attacks(*ROOMS["client"])
breaks = attacks.breaks
CLIENT, ROUNDS = "client.client.Client", "client.rounds"

# Before it starts, and after.


@breaks(f"{CLIENT}.start", "not isinstance(self._state, Created)")
def started_twice() -> bool:
    """The table refuses it as well, and the client would be Aborted."""
    client = Party(5).clients[10]
    client.start()
    with pytest.raises(SecAggError):
        client.start()
    return client.state == "Aborted"


@breaks(f"{CLIENT}.receive", "isinstance(self._state, Created | Done | Ended | Aborted)")
def a_message_before_the_start() -> bool:
    """The client would be Aborted before it has begun."""
    client = Party(5).clients[10]
    with pytest.raises(SecAggError):
        client.receive(Survivors((10,)))
    return client.state == "Aborted"


@breaks(f"{CLIENT}.provide_input", "not isinstance(state, Created | Advertised | Shared)")
def an_input_after_the_one_that_was_sent() -> bool:
    Party(5).after(2).clients[10].provide_input(np.zeros(3, "<u2"))
    return True


@breaks(f"{CLIENT}.provide_input", "state.vectors is not None")
def a_second_input() -> bool:
    Party(5).after(1).clients[10].provide_input(np.zeros(3, "<u2"))
    return True


@breaks(f"{CLIENT}.end", "not isinstance(self._state, Running)")
def an_end_before_the_start() -> bool:
    Party(5).clients[10].end(SessionEnd(True, bytes(32)))
    return True


@breaks(f"{CLIENT}.end", "not isinstance(message, SessionEnd)")
def an_end_that_is_none() -> bool:
    Party(5).after(1).clients[10].end(Survivors((10,)))
    return True


@breaks(f"{CLIENT}.end", "check_end(self._state.end_key, message)")
def an_end_that_somebody_else_says() -> bool:
    Party(5).after(1).clients[10].end(SessionEnd(True, bytes(32)))
    return True


# Round 1: the roster.

breaks(f"{ROUNDS}.share_keys", "check_own_entry(roster, state.hello)")(
    client_takes("roster: the victim's keys changed")
)
breaks(f"{ROUNDS}.share_keys", "member.checks.check_neighbour(roster, i, member.transcript)")(
    man_in_the_middle
)

# Round 2: the ciphertexts.


@breaks(f"{CLIENT}.receive", "isinstance(self._state, Shared) and self._state.vectors is None")
def round_2_without_an_input() -> bool:
    """Its host is late: the client waits for it, and is not Aborted."""
    party = Party(5)
    party.inputs[10] = None  # type: ignore[assignment]
    client = party.clients[10] = party.client(10)
    party.after(1)
    with pytest.raises(SecAggError):
        client.receive(party.outbox[10])
    return client.state == "Aborted"


def isolated(senders: Callable[[Coalition], Iterable[int]]) -> Attack:
    """The victim masks with nobody honest; the others then open its b_u."""

    def attack() -> bool:
        party = shared(Coalition(7, bad=2))
        party.show_senders(10, senders(party))
        for u in party.honest[1:]:
            party.show_senders(u, set(party.ids) - {u})
        for u in party.honest[1:]:
            party.show_U3(u, party.ids)
        for u in party.honest[1:]:
            party.show_signatures(u)
        return any(learned.clients == (10,) for learned in party.learned())

    return attack


nobody = isolated(lambda p: ())
breaks(f"{ROUNDS}.mask_input", "_check_ciphertexts(member, state, message)")(nobody)
breaks(f"{ROUNDS}._check_ciphertexts", "len(senders) + 1 < t")(nobody)
breaks(f"{ROUNDS}._check_ciphertexts", "not strictly_ascending(senders)")(
    isolated(lambda p: (70,) * 4)
)
breaks(f"{ROUNDS}._check_ciphertexts", "not state.channels.keys() >= set(senders)")(
    client_takes("ciphertexts: a sender outside the roster")
)
breaks(
    f"{ROUNDS}._check_ciphertexts",
    "len(message.ciphertexts) != len(senders) * CIPHERTEXT_BYTES",
)(client_takes("ciphertexts: a ciphertext too few"))


@breaks("client.sealing.open_shares", "plaintext[:16] != id_bytes(u) + id_bytes(v)")
def other_ids_inside() -> bool:
    party = dealt(lambda plaintext: id_bytes(20) + plaintext[8:], [10])
    return party.replies[10].unopened == ()  # type: ignore[union-attr]


breaks("client.sealing.open_shares", "decode_shares(plaintext[16:])")(a_digit_too_large_inside)

# Round 3: U3.

for says, lie in {
    "not strictly_ascending(message.U3)": "U3: one client twice",
    "len(U3) < member.params.min_survivors": "U3: too few",
    "member.u not in U3": "U3: without the victim",
    "not state.roster.index.keys() >= U3": "U3: somebody outside the roster",
}.items():
    breaks(f"{ROUNDS}.check_consistency", says)(client_takes(lie))


@breaks(f"{ROUNDS}.check_consistency", "state.absent & U3")
def a_part_of_the_survivors() -> bool:
    """Nobody else masks with 10, which survives: the others' sum is opened, and it is not U3's."""
    party = shared(Coalition(7, bad=2))
    for u in party.honest:
        party.show_senders(u, set(party.ids) - {u} - {10})
    for u in party.honest:
        party.show_U3(u, party.ids)
    for u in party.honest:
        if party.seen[u].U3:
            party.show_signatures(u)
    return any(learned.clients == party.honest[1:] for learned in party.learned())


# Round 4: the signatures.


def repeated(party: Coalition, u: int) -> Signatures:
    """One corrupt client's signature, min_survivors times."""
    signature = party.signatures(u).signatures[-1]
    return Signatures.of((70,) * 5, (signature,) * 5)


two_lies = two_views(lambda p, u: p.signatures(u))
breaks(f"{ROUNDS}.unmask", "_check_signatures(member, state, transcript, message)")(two_lies)
breaks(f"{ROUNDS}._check_signatures", "len(signers) < needed")(two_lies)
breaks(f"{ROUNDS}._check_signatures", "not strictly_ascending(signers)")(two_views(repeated))
breaks(f"{ROUNDS}._check_signatures", "len(message.packed) != len(signers) * SIGNATURE_BYTES")(
    client_takes("signatures: a signature too many")
)
breaks(
    f"{ROUNDS}._check_signatures",
    "member.checks.check_signer(state.roster, i, transcript, body, signature)",
)(two_views(forged))


@breaks(f"{ROUNDS}._check_signatures", "not set(state.U3) >= set(signers)")
def signers_outside_U3() -> bool:
    """U3 is the honest clients; two of them are silent and two corrupt ones sign instead."""
    party = shared(Coalition(7, bad=2))
    for u in party.honest:
        party.show_senders(u, set(party.ids) - {u})
    for u in (10, 20, 30):
        party.show_U3(u, party.honest)
    by = {u: party.seen[u].signature for u in (10, 20, 30)}
    by |= {v: party.sign_U3(v, party.seen[10].roster.digest, party.honest) for v in party.corrupt}
    return party.show_signatures(10, Signatures.of(tuple(by), tuple(by.values())))


# What a host keeps.


@breaks("client.snapshot.Snapshots.answer_to", "not self._reply")
def cannot_start() -> bool:
    try:
        Host(Party(5), 10).client.start()
    except SecAggError:
        return True
    return False


@breaks("client.snapshot.Snapshots.answer_to", "request != self._request")
def the_last_answer_again() -> bool:
    """Whatever is asked: the session would stand still."""
    party = Party(5)
    host = Host(party, 10)
    party.clients[10] = host.client
    party.after(0)
    return isinstance(host.client.receive(party.outbox[10]), AdvertiseKeys)


test_every_check_has_its_attack, test_an_attack_needs_its_check_gone = attacks.tests()
