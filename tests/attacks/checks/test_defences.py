"""Defences that are no refusal: each has another function in its place, and an attack succeeds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import secagg
from secagg.client import rounds
from secagg.errors import RemoteProtocolError
from secagg.keys import ROSTER, SHARE_ENCRYPTION, Transcript, framed, sha256
from secagg.messages import Ciphertexts, Roster, Signatures, Survivors, records
from secagg.roster import CheckedRoster
from secagg.sharing.shamir import SHARE_BYTES, combine, decode_shares, from_digits
from tests.helpers.attacks import shared, sparse, too_few_neighbours
from tests.helpers.breaks import Attack, succeeds
from tests.helpers.certificates import two_U3
from tests.helpers.dishonest import Coalition
from tests.helpers.lying_client import flipped
from tests.helpers.lying_server import VICTIM
from tests.helpers.party import Party, shares_in
from tests.helpers.removed import Check, remove
from tests.helpers.removed import replace as replace_function


def answers_twice() -> bool:
    """Asked for U3 with the victim, and for U3 without it: both secrets of the victim."""
    party = shared(Coalition(7, bad=2, t=5, corrupt=2))
    for u in party.honest:
        party.show_senders(u, set(party.ids) - {u})
    for U3 in (party.ids, party.ids[1:]):
        for u in party.honest[1:]:
            party.show_U3(u, U3)
        for u in party.honest[1:]:
            party.show_signatures(u)
    return party.both_opened() == (10,)


def lenient_step(self: Any, state: Any, message: Any) -> Any:
    """The transition table of a client that can be asked again after round 3 and after round 4."""
    before = self.__dict__.setdefault("_before", state)
    if message is None:
        return rounds.advertise_keys(self._member, state)
    if isinstance(message, Survivors):
        self._before = state if type(state).__name__ == "Masked" else before
        return rounds.check_consistency(self._member, self._before, message)
    if isinstance(message, Signatures):
        _, reply = rounds.unmask(self._member, state, message)
        return state, reply
    if isinstance(message, Roster):
        return rounds.share_keys(self._member, state, message)
    return rounds.mask_input(self._member, state, state.vectors, message)


def reflected() -> bool:
    """What the victim dealt comes back to it as if dealt by those whom it was for."""
    party = shared(Coalition(7, bad=2))
    others = tuple(v for v in party.ids if v != 10)
    own = memoryview(b"".join(party.seen[10].dealt[v] for v in others))
    reply: Any = party.clients[10].receive(Ciphertexts(others, own))
    return len(reply.unopened) < len(others)


def unordered_aead(self: Transcript, shared: bytes, sender: int, receiver: int) -> Any:
    """One key for both directions of a pair."""
    pair = min(sender, receiver), max(sender, receiver)
    return AESGCM(self._derive(shared, 16, SHARE_ENCRYPTION, *pair))


def same_data(self: Transcript, sender: int, receiver: int) -> bytes:
    """Nothing about who and to whom."""
    return framed(SHARE_ENCRYPTION, self.params_digest, self.roster_digest)


def another_context() -> bool:
    """One victim was given another model, and nobody notices."""
    party = Party(5)
    party.collect(but=[VICTIM])
    party.server.receive(VICTIM, party.client(VICTIM, context=b"another model").start())
    return True


def digest_without_context(self: secagg.Params, directory_digest: bytes) -> bytes:
    return TRUE_DIGEST(replace(self, context=b""), directory_digest)


TRUE_DIGEST = secagg.Params.digest


def digest_without_certificates(self: CheckedRoster) -> bytes:
    return sha256(ROSTER, self.columns.ids, self.columns.keys)


def a_client_without_holders() -> bool:
    """Three beside each other are gone: who stood between them has 6 of 9 and would abort."""
    party = sparse().after(0)
    party.collect(but=too_few_neighbours(party)[:3])
    party.close()
    for u, message in party.outbox.items():
        party.clients[u].receive(message)
    return False


def honest_clients_abort(attack: Attack) -> Attack:
    """Success is the typed error of somebody honest in an honest server's session."""

    def aborts() -> bool:
        try:
            return attack()
        except RemoteProtocolError:
            return True

    return aborts


def a_wrong_share_is_believed() -> bool:
    party = Party(7, t=4, corrupt=0).after(3)
    party.collect(but=[10])
    truth = party.answer(10)
    party.server.receive(10, party.resealed(truth, lambda s: bytes(flipped(memoryview(s)))))
    try:
        party.close()
    except RemoteProtocolError:
        return True
    return party.server.result.sum.tolist() != party.expected(tuple(party.ids))


IDS_INSIDE = Check(
    "secagg.client.sealing.open_shares", "plaintext[:16] != id_bytes(u) + id_bytes(v)"
)
ELSEWISE: dict[str, tuple[Attack, dict[str, Any]]] = {
    "a round is answered once": (
        answers_twice,
        {"secagg.client.client.Client._step": lenient_step},
    ),
    "the certificates are in the roster digest": (
        two_U3,
        {"secagg.roster.CheckedRoster.digest": property(digest_without_certificates)},
    ),
    "the context is in the digest": (
        another_context,
        {"secagg.params.Params.digest": digest_without_context},
    ),
    "a reconstructed secret is checked": (
        a_wrong_share_is_believed,
        {"secagg.server.recovery._checked": lambda owner, digits, check: from_digits(digits)},
    ),
    "U2 are those with t holders": (
        honest_clients_abort(a_client_without_holders),
        {
            "secagg.server.rounds.Sharing._with_enough_senders": lambda self: (
                self.rostered.flags_of(self.answered)
            )
        },
    ),
}


@pytest.mark.parametrize("name", ELSEWISE)
def test_the_attack_succeeds_if_and_only_if_the_defence_is_gone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack, functions = ELSEWISE[name]
    assert not succeeds(attack)
    for where, function in functions.items():
        replace_function(monkeypatch, where, function)
    assert succeeds(attack)


def test_three_lines_of_defence_against_reflected_ciphertexts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The direction of the key, the associated data, the ids inside: each alone is enough."""
    lines: list[Callable[[pytest.MonkeyPatch], None]] = [
        lambda patch: replace_function(patch, "secagg.keys.Transcript.aead", unordered_aead),
        lambda patch: replace_function(patch, "secagg.keys.Transcript.associated_data", same_data),
        lambda patch: remove(patch, IDS_INSIDE),
    ]
    for kept in lines:
        with monkeypatch.context() as patch:
            for line in lines:
                if line is not kept:
                    line(patch)
            assert not succeeds(reflected)
    for line in lines:
        line(monkeypatch)
    assert succeeds(reflected)


def opened_mask_key(party: Party) -> bytes:
    """The public key of what the shares combine to that were released of client 10, a survivor."""
    party.after(3)
    party.collect()
    xs, released = [], b""
    for place, u in enumerate(party.ids[1:], 2):
        reply: Any = party.replies[u]
        xs.append(place)
        released += records(shares_in(reply, party.binding), SHARE_BYTES)[0]
    [secret] = combine(np.array(xs), decode_shares(released)[:, None])
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def test_what_a_share_is_released_as_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a refusal, but the one line that says which of two shares leaves."""
    party = Party(5)
    opened = opened_mask_key(party)
    assert opened not in {
        entry.s_pk for entry in party.server._round.rostered.roster.columns.entries
    }
    monkeypatch.setattr(rounds, "released_share", lambda held, survived: held.s_share)
    party = Party(5)
    assert opened_mask_key(party) == party.server._round.rostered.roster.s_pk(0)
