"""Each check of the package is removed in turn, and an attack that it stops succeeds.

`ATTACKS` names every check that `removed.checks` finds in the source: a new check without an attack
fails here, and so does an attack that succeeds although every check is in its place, or that fails
although its check is gone.  An attack is a function that returns whether it succeeded; the typed
error of whoever refuses it means that it did not, an untyped error in somebody honest that it did.

What success means, from worst to mildest: an honest client's secret or input is opened; two U3 are
opened; the sum is wrong; one client stops the others' session; an honest host dies of an untyped
error; the lie is taken for true, where a second check would stop it later; the reason is wrong.
"""

import traceback
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import secagg
from secagg import wire
from secagg.client import rounds
from secagg.curve import P, check_x25519
from secagg.errors import RemoteProtocolError, SecAggError, TooFewClients
from secagg.graph import Complete, CuriousOnlyHarary, Harary, _ring
from secagg.keys import ROSTER, SHARE_ENCRYPTION, Transcript, framed, id_bytes, sha256
from secagg.messages import (
    CIPHERTEXT_BYTES,
    NONCE_BYTES,
    UNSIGNED,
    AdvertiseKeys,
    Ciphertexts,
    ConsistencyCheck,
    MaskedInput,
    Roster,
    SessionEnd,
    ShareKeys,
    Signatures,
    Survivors,
    Unmasking,
    records,
)
from secagg.packing import unpack
from secagg.roster import CheckedRoster
from secagg.server_sealing import seal_for_server
from secagg.sharing.shamir import from_digits
from tests.attacks.dishonest import Coalition, harm, unsigned
from tests.attacks.removed import Check, checks, remove
from tests.attacks.removed import replace as replace_function
from tests.attacks.steady import Steady, Stream
from tests.attacks.test_certificates import (
    CA,
    Lie,
    anybody_signs,
    brings,
    one_key_for_all,
    one_key_under_two_ids,
    opened_by,
    self_certified,
    two_U3,
)
from tests.attacks.test_lying_client import LIAR, STORIES, flipped
from tests.attacks.test_lying_server import LIES, VICTIM
from tests.helpers.hosts import Host
from tests.helpers.party import SERVER_KEY, SERVER_PUBLIC, SPECS, Party

Attack = Callable[[], bool]
PACKAGE = str(Path(secagg.__file__).parent)
UNTYPED = (KeyError, IndexError, ValueError, TypeError, AttributeError, OverflowError)


def succeeds(attack: Attack) -> bool:
    """Whether it does: the honest refuse with a SecAggError, or do not refuse."""
    try:
        return attack()
    except SecAggError:
        return False
    except UNTYPED as error:
        raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
        if PACKAGE in raised_in or raised_in.startswith("secagg."):
            return True  # a host that runs the package dies of it
        raise


def breaks(party: Party) -> bool:
    """Whether this session, honest from here on, ends without the right sum."""
    try:
        result = party.finish()
    except (SecAggError, *UNTYPED):
        return True
    return result.sum.tolist() != party.expected(result.survivors)


# Lies told elsewhere: here they are believed.


def client_takes(name: str) -> Attack:
    """The lie of test_lying_server is believed."""
    [(round, _, lie)] = [case.values for case in LIES if case.id == name]

    def attack() -> bool:
        party = Party(5, outsiders=1).after(round)
        party.clients[VICTIM].receive(lie(party, party.outbox[VICTIM]))
        return True

    return attack


def server_takes(name: str, *, and_breaks: bool = False) -> Attack:
    """The lie of test_lying_client is believed, and perhaps the session breaks of it."""
    story = STORIES[name]

    def attack() -> bool:
        party = Party(5, outsiders=1).after(story.round - 1)
        party.collect(but=[LIAR])
        truth = answer(party, LIAR)
        party.server.receive(LIAR, story.lie(party, truth))
        party.close()
        return breaks(party) or not and_breaks

    return attack


def answer(party: Party, u: int) -> Any:
    """What u answers to what it was sent."""
    sent = party.outbox.get(u)
    return party.clients[u].start() if sent is None else party.clients[u].receive(sent)


# The server and its corrupt clients.


def shared(party: Coalition) -> Coalition:
    """Everybody has dealt its shares in the one roster."""
    for u in party.honest:
        party.show_roster(u, party.roster())
    return party


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


def two_views(message: Callable[[Coalition, int], Signatures]) -> Attack:
    """Some are told that 10 survived, the others not; each is forwarded these signatures."""

    def attack() -> bool:
        party = shared(Coalition(7, bad=2))
        for u in party.honest:
            party.show_senders(u, set(party.ids) - {u})
        for u in party.honest:
            party.show_U3(u, party.ids if u < 40 else party.ids[1:])
        for u in party.honest:
            if party.seen[u].U3:
                party.show_signatures(u, message(party, u))
        return harm(party) is not None

    return attack


def repeated(party: Coalition, u: int) -> Signatures:
    """One corrupt client's signature, min_survivors times."""
    signature = party.signatures(u).signatures[-1]
    return Signatures((70,) * 5, (signature,) * 5)


def forged(party: Coalition, u: int) -> Signatures:
    return Signatures(tuple(party.seen[u].U3[:5]), (bytes(64),) * 5)


def signers_outside_U3() -> bool:
    """U3 is the honest clients; two of them are silent and two corrupt ones sign instead."""
    party = shared(Coalition(7, bad=2))
    for u in party.honest:
        party.show_senders(u, set(party.ids) - {u})
    for u in (10, 20, 30):
        party.show_U3(u, party.honest)
    by = {u: party.seen[u].signature for u in (10, 20, 30)}
    by |= {v: party.sign_U3(v, party.seen[10].roster.digest, party.honest) for v in party.corrupt}
    return party.show_signatures(10, Signatures(tuple(by), tuple(by.values())))


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


def man_in_the_middle() -> bool:
    """Everybody else's keys are the server's own: it holds all shares, and knows all masks."""
    party = Coalition(7, bad=2)
    fakes = [unsigned(party.face(u), signature=bytes(64)) for u in party.ids if u != 10]
    if party.show_roster(10, Roster((party.hello[10], *fakes))):
        party.show_senders(10, party.ids[1:])
    return party.both_opened() == (10,) and party.learned()[0].clients == (10,)


def many_faces() -> bool:
    """One corrupt client under t keys: it gets t shares of both secrets."""
    party = Coalition(5, bad=1, t=4, corrupt=1)
    faces = tuple(party.face(50, number) for number in range(4))
    party.show_roster(10, Roster((party.hello[10], *faces)))
    return party.both_opened() == (10,)


def a_small_roster() -> bool:
    """4 corrupt of 6: the victim deals its shares."""
    party = Coalition(9, bad=4, t=7, corrupt=4)
    return party.show_roster(10, party.roster((10, 20)))


def a_large_roster() -> bool:
    """8 honest clients where n = 5: two disjoint U3 of 4 both gather min_survivors = 4."""
    party = shared(Coalition(5, bad=0, enrolled=8))
    for u in party.seen:
        party.show_senders(u, set(party.ids) - {u})
    for u in party.seen:
        party.show_U3(u, party.ids[:4] if u <= 40 else party.ids[4:])
    for u in party.seen:
        party.show_signatures(u)
    return harm(party) is not None


def twice(u: int = LIAR) -> bool:
    """The same y_u two times."""
    party = Party(5).after(1)
    party.collect()
    party.server.receive(u, party.replies[u])
    party.close()
    return breaks(party)


def orderly(n: int, bad: int, **params: Any) -> Attack:
    """Parameters that promise too much: a session without a single lie is enough."""

    def attack() -> bool:
        party = Coalition(n, bad=bad, **params)
        party.play()
        return harm(party) is not None

    return attack


def small_quorum() -> bool:
    """min_survivors = 4 of 7 with 2 corrupt: 3 + 2 sign the one U3, 2 + 2 the other."""
    party = Coalition(7, bad=2, t=4, corrupt=0, min_survivors=3, min_roster=4)
    party.play(U3=lambda u: party.ids if u < 40 else party.ids[1:])
    return harm(party) is not None


def alone_in_the_sum() -> bool:
    """n = 3 of whom 2 may be corrupt: the sum is the victim's input."""
    party = Coalition(3, bad=2, t=3, corrupt=2)
    party.play()
    return any(learned.clients == (10,) for learned in party.learned())


# One client.


def dealt(change: Callable[[bytes], bytes], holders: Iterable[int]) -> Party:
    """LIAR has sealed another plaintext for these holders; all have sent their masked input."""
    party = Party(5).after(0)
    party.collect(but=[LIAR])
    reply = answer(party, LIAR)
    state: Any = party.clients[LIAR]._state
    binding = Transcript(party.params.digest(party.directory.digest), state.roster.digest)
    sealed = records(reply.ciphertexts, CIPHERTEXT_BYTES)
    for place, v in enumerate(sorted(state.channels)):
        if v in holders:
            aead = binding.aead(state.channels[v], LIAR, v)
            data = binding.associated_data(LIAR, v)
            nonce = sealed[place][:NONCE_BYTES]
            plaintext = aead.decrypt(nonce, sealed[place][NONCE_BYTES:], data)
            sealed[place] = nonce + aead.encrypt(nonce, change(plaintext), data)
    party.server.receive(
        LIAR, party.signed(reply, ciphertexts=memoryview(b"".join(sealed)))
    )  # fmt: skip
    party.close()
    party.collect()
    return party


def other_ids_inside() -> bool:
    party = dealt(lambda plaintext: id_bytes(20) + plaintext[8:], [10])
    return party.replies[10].unopened == ()  # type: ignore[union-attr]


def a_digit_too_large_inside() -> bool:
    """The honest holder's whole last message would be refused."""
    party = dealt(lambda plaintext: plaintext[:16] + b"\xff" * 68, [10])
    party.close()
    return breaks(party)


def unopenable_to_all_but_one() -> bool:
    """b of LIAR has two holders; the honest would sign, and open a sum that cannot come out."""
    party = dealt(lambda plaintext: bytes(84), [10, 20, 30])
    party.close()
    return True


def advertises(lie: Callable[[Party, Any], Any]) -> Party:
    """LIAR has advertised something else, and goes on as if that were its own."""
    party = Party(5)
    party.collect(but=[LIAR])
    liar: Any = party.clients[LIAR]
    told = lie(party, liar.start())
    party.server.receive(LIAR, told)
    liar._state = replace(liar._state, hello=told)
    party.close()
    return party


def low_order(name: str) -> Attack:
    """An honest server forwards it, and honest clients die of OpenSSL's error."""

    def attack() -> bool:
        advertises(lambda p, hello: p.signed(hello, **{name: bytes(32)})).after(2)
        return False

    return attack


def a_server_takes(lie: Lie) -> Attack:
    """A corrupt client of an authority advertises this."""

    def taken() -> bool:
        party = Party(5, ca=CA)
        party.server.receive(LIAR, lie(party, party.clients[LIAR].start()))
        return True

    return taken


def a_certificate_that_nobody_reads() -> bool:
    """Whatever stands there is relayed to everybody, and signed."""
    party = Party(5)
    hello = party.signed(party.clients[LIAR].start(), certificate=bytes(96))
    party.server.receive(LIAR, hello)
    return True


def one_too_many() -> bool:
    """The honest clients refuse a roster of six."""
    party = Party(5, outsiders=1)
    party.inputs[60] = party.inputs[50]
    party.collect()
    party.server.receive(60, party.client(60).start())
    party.close()
    party.outbox.pop(60)
    return breaks(party)


def a_server_with(private_key: Any) -> secagg.Server:
    """A server that its host gave another private key than the clients seal to."""
    party = Party(5)
    return secagg.Server(party.params, directory=party.directory, private_key=private_key)


def outsider() -> bool:
    party = Party(5, outsiders=1).after(0)
    party.server.receive(60, ShareKeys(60, memoryview(b""), UNSIGNED))
    return True


def a_message_after_the_end() -> bool:
    party = Party(5).after(4)
    party.server.receive(10, party.replies[10])
    return True


def somebody_elses_vector() -> bool:
    """LIAR forwards 10's message as its own: y_10 is added twice, y_50 never."""
    party = Party(5).after(1)
    party.collect(but=[LIAR])
    party.server.receive(LIAR, party.replies[10])
    party.close()
    party.outbox.pop(LIAR, None)
    return breaks(party)


def not_in_U2() -> bool:
    """Who dealt no share sends a vector: nobody can open its mask."""
    party = Party(5).after(1, absent={LIAR: 1})
    party.collect()
    lie = MaskedInput(LIAR, (memoryview(bytes(SPECS[0].packed_bytes)),), (), UNSIGNED)
    party.server.receive(LIAR, party.signed(lie))
    try:
        party.close()
    except SecAggError:
        return True
    return breaks(party)


def bad_signature(u: int, *, absent: bool) -> bool:
    """A server that forwards it makes every honest client abort."""
    party = Party(5).after(2, absent={u: 2} if absent else {})
    party.collect(but=[u])
    digest = party.params.digest(party.directory.digest)
    U3: Any = party.outbox[20]
    body = ConsistencyCheck.body(U3.U3)
    signature = Transcript(digest, party.roster_digest()).sign(party.keys[u], 3, u, body)
    lie = ConsistencyCheck(u, signature if absent else bytes(64))
    party.server.receive(u, lie)
    party.close()
    return breaks(party)


def not_in_U4() -> bool:
    """Shares of somebody who never signed U3."""
    party = Party(5).after(3, absent={LIAR: 3})
    sealed = seal_for_server(party.binding, SERVER_PUBLIC, LIAR, bytes(170), Stream("U4"))
    party.server.receive(LIAR, party.signed(Unmasking(LIAR, sealed, UNSIGNED)))
    return True


def goes_on(round: int, *, silent: int = 2, **params: Any) -> Attack:
    """The server closes a round that too few have answered, and asks the others to go on."""

    def attack() -> bool:
        party = Party(5, **params).after(round - 1)
        party.collect(but=party.ids[:silent])
        party.close()
        return True

    return attack


def too_few_neighbours(party: Party) -> list[int]:
    """Five neighbours on the ring, without whom too few have t = 7 of 9 holders."""
    server: Any = party.server
    ring, _ = _ring(party.roster_digest(), 13)
    return [server._round.rostered.roster.ids[i] for i in ring[:5].tolist()]


def sparse() -> Party:
    return Steady(13, graph=Harary(8), t=7, corrupt=1, min_roster=11)


def too_few_have_holders() -> bool:
    party = sparse().after(0)
    party.collect(but=too_few_neighbours(party))
    party.close()
    return True


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


def nobody_is_named() -> bool:
    """Three of five answer in round 4: too few, says the server, and blames no dealer."""
    party = Party(5).after(3)
    party.collect(but=[10, 20])
    try:
        party.close()
    except TooFewClients:
        return False
    except SecAggError:
        return True
    return True


def masks_that_do_not_cancel() -> bool:
    """A faulty client has left a mask out."""
    party = Party(5).after(1)
    party.collect(but=[LIAR])
    truth = answer(party, LIAR)
    words = np.frombuffer(truth.vectors[0], "<u2") + np.uint16(12345)
    party.server.receive(LIAR, party.signed(truth, vectors=(words.data.cast("B"),)))
    party.close()
    return party.finish().sum.tolist() != party.expected(tuple(party.ids))


def another_commitment() -> bool:
    advertises(lambda p, hello: p.signed(hello, commitment=bytes(32))).finish()
    return True


def a_wrong_share_is_believed() -> bool:
    party = Party(7, t=4, corrupt=0).after(3)
    party.collect(but=[10])
    truth = answer(party, 10)
    party.server.receive(10, party.resealed(truth, lambda s: bytes(flipped(memoryview(s)))))
    try:
        party.close()
    except RemoteProtocolError:
        return True
    return party.server.result.sum.tolist() != party.expected(tuple(party.ids))


def started_twice() -> bool:
    """The table refuses it as well, and the client would be Aborted."""
    client = Party(5).clients[10]
    client.start()
    with pytest.raises(SecAggError):
        client.start()
    return client.state == "Aborted"


def a_message_before_the_start() -> bool:
    """The client would be Aborted before it has begun."""
    client = Party(5).clients[10]
    with pytest.raises(SecAggError):
        client.receive(Survivors((10,)))
    return client.state == "Aborted"


def an_end_before_the_start() -> bool:
    Party(5).clients[10].end(SessionEnd(True, bytes(32)))
    return True


def says(what: str, attack: Callable[[], Any]) -> Attack:
    """A later check refuses as well: then success is that the reason given is another."""

    def wrong_reason() -> bool:
        try:
            attack()
        except SecAggError as error:
            return what not in str(error)
        return True

    return wrong_reason


def takes(attack: Callable[[], Any]) -> Attack:
    """Success is that it is accepted."""

    def taken() -> bool:
        attack()
        return True

    return taken


def enrolled(key: Any, u: Any = 60) -> Attack:
    return takes(lambda: secagg.Pinned({**Party(5).directory, u: key}))


def agreed(n: int, graph: Any = None, **params: Any) -> Attack:
    return takes(lambda: secagg.Params(n, SPECS, graph=graph, **params))


def ring(k: int, t: int, corrupt: int = 0) -> Attack:
    return agreed(11, Harary(k), t=t, corrupt=corrupt, min_roster=9, min_survivors=8)


def another_encoding() -> None:
    """An id of one byte, written in two."""
    frame = wire.encode(Survivors((10,)))
    wire.decode(frame.replace(b"\x91\x0a", b"\x91\xcc\x0a"))


def padding() -> None:
    spec = secagg.VectorSpec("narrow", 3, 13)
    unpack(spec, 4, memoryview(b"\xff" * 7))


# What a host keeps.


def restored_from(change: Callable[[bytes], bytes]) -> Attack:
    """A blob that is not the one that was stored."""

    def attack() -> bool:
        host = Host(Party(5), 10)
        host.client.start()
        host.restored_from(change(host.disk[1]), 1)
        return True

    return attack


def cannot_start() -> bool:
    try:
        Host(Party(5), 10).client.start()
    except SecAggError:
        return True
    return False


def the_last_answer_again() -> bool:
    """Whatever is asked: the session would stand still."""
    party = Party(5)
    host = Host(party, 10)
    party.clients[10] = host.client
    party.after(0)
    return isinstance(host.client.receive(party.outbox[10]), AdvertiseKeys)


def round_2_without_an_input() -> bool:
    """Its host is late: the client waits for it, and is not Aborted."""
    party = Party(5)
    party.inputs[10] = None  # type: ignore[assignment]
    client = party.clients[10] = party.client(10)
    party.after(1)
    with pytest.raises(SecAggError):
        client.receive(party.outbox[10])
    return client.state == "Aborted"


two_lies = two_views(lambda p, u: p.signatures(u))
too_small = {"t": 2, "corrupt": 2, "min_survivors": 4}
outsiders_key = bytes([9]) + bytes(31)

ATTACKS: dict[str, Attack] = {
    "client.client.Client.start: not isinstance(self._state, Created)": started_twice,
    "client.client.Client.receive: isinstance(self._state, Created | Done | Ended | Aborted)": (
        a_message_before_the_start
    ),
    "client.client.Client.receive: isinstance(self._state, Shared) and "
    "self._state.vectors is None": round_2_without_an_input,
    "client.client.Client.provide_input: not isinstance(state, Created | Advertised | Shared)": (
        takes(lambda: Party(5).after(2).clients[10].provide_input(np.zeros(3, "<u2")))
    ),
    "client.client.Client.provide_input: state.vectors is not None": takes(
        lambda: Party(5).after(1).clients[10].provide_input(np.zeros(3, "<u2"))
    ),
    "client.client.Client.end: not isinstance(self._state, Running)": an_end_before_the_start,
    "client.client.Client.end: not isinstance(message, SessionEnd)": takes(
        lambda: Party(5).after(1).clients[10].end(Survivors((10,)))
    ),
    "client.client.Client.end: check_end(self._state.end_key, message)": takes(
        lambda: Party(5).after(1).clients[10].end(SessionEnd(True, bytes(32)))
    ),
    "ending.check_end: _mac(key, message.summed).verify(message.tag)": takes(
        lambda: Party(5).after(1).clients[10].end(SessionEnd(True, bytes(32)))
    ),
    "client.rounds._checked_roster: check_roster(message, state.hello, member.params)": many_faces,
    "client.rounds.mask_input: _check_ciphertexts(member, state, message)": isolated(lambda p: ()),
    "client.rounds._check_ciphertexts: not strictly_ascending(senders)": isolated(
        lambda p: (70,) * 4
    ),
    "client.rounds._check_ciphertexts: not state.channels.keys() >= set(senders)": client_takes(
        "ciphertexts: a sender outside the roster"
    ),
    "client.rounds._check_ciphertexts: len(message.ciphertexts) != len(senders) * CIPHERTEXT_BYTES": (
        client_takes("ciphertexts: a ciphertext too few")
    ),
    "client.rounds._check_ciphertexts: len(senders) + 1 < t": isolated(lambda p: ()),
    "client.sealing.open_shares: plaintext[:16] != id_bytes(u) + id_bytes(v)": other_ids_inside,
    "client.sealing.open_shares: decode_shares(plaintext[16:])": a_digit_too_large_inside,
    "client.rounds.check_consistency: not strictly_ascending(message.U3)": client_takes(
        "U3: one client twice"
    ),
    "client.rounds.check_consistency: len(U3) < member.params.min_survivors": client_takes(
        "U3: too few"
    ),
    "client.rounds.check_consistency: member.u not in U3": client_takes("U3: without the victim"),
    "client.rounds.check_consistency: not state.roster.index.keys() >= U3": client_takes(
        "U3: somebody outside the roster"
    ),
    "client.rounds.check_consistency: state.absent & U3": a_part_of_the_survivors,
    "client.rounds.unmask: _check_signatures(member, state, transcript, message)": two_lies,
    "client.rounds._check_signatures: not strictly_ascending(signers)": two_views(repeated),
    "client.rounds._check_signatures: not set(state.U3) >= set(signers)": signers_outside_U3,
    "client.rounds._check_signatures: len(signers) < needed": two_lies,
    "client.rounds._check_signatures: len(message.signatures) != len(signers)": client_takes(
        "signatures: a signature missing"
    ),
    "client.rounds._check_signatures: member.checks.quorum(state.roster, transcript, state.U3, "
    "signers, message.signatures)": two_views(forged),
    "roster.SignatureChecks.quorum: transcript.verify(key, signature, ConsistencyCheck.round, v, "
    "body)": two_views(forged),
    "roster.check_advertisement: check_x25519(entry.c_pk)": low_order("c_pk"),
    "roster.check_advertisement: check_x25519(entry.s_pk)": low_order("s_pk"),
    "roster.check_advertisement: transcript.verify(identity, entry.signature, entry.round, "
    "entry.u, entry.body())": man_in_the_middle,
    "roster.check_distinct_keys: key in seen": client_takes(
        "roster: the victim's s_pk advertised again"
    ),
    "roster.check_distinct_identities: (v := owners.setdefault(key, entry.u)) != entry.u": (
        opened_by(one_key_for_all)
    ),
    "roster.check_roster: not strictly_ascending(ids)": many_faces,
    "roster.check_roster: not params.min_roster <= len(ids)": a_small_roster,
    "roster.check_roster: not len(ids) <= params.n": a_large_roster,
    "roster.check_roster: own not in message.entries": client_takes(
        "roster: the victim's keys changed"
    ),
    "roster.SignatureChecks.roster: check_distinct_keys(entries)": client_takes(
        "roster: one key as c_pk and s_pk"
    ),
    "roster.SignatureChecks.roster: check_distinct_identities(entries, keys)": opened_by(
        one_key_for_all
    ),
    "server.server.Server.receive: not isinstance(message, ClientMessage)": takes(
        lambda: Party(5).server.receive(10, Survivors((10,)))
    ),
    "server.server.Server.receive: isinstance(current, Aggregate | Failed)": a_message_after_the_end,
    "server.server.Server.receive: self._check_author(u, message, current)": twice,
    "server.server.Server._check_author: message.u != u": somebody_elses_vector,
    "server.server.Server._check_author: not isinstance(current, Advertising) and u not in "
    "current.rostered.roster.index": outsider,
    "server.server.Server._check_author: u in current.answered": twice,
    "server.rounds.Advertising.receive: len(self.answered) == n": one_too_many,
    "server.rounds.Advertising.receive: len(new) < 2": server_takes(
        "one key for both uses", and_breaks=True
    ),
    "server.rounds.Advertising.receive: new & self.public_keys": server_takes(
        "a key of somebody else", and_breaks=True
    ),
    "server.rounds.Advertising.receive: key in self.identity_keys": lambda: breaks(
        one_key_under_two_ids()
    ),
    "server.rounds.Advertising.close: self.session.at_least(needed, len(self.answered), "
    "'advertised keys')": goes_on(0),
    "server.rounds.Sharing.receive: len(packed) != len(receivers) * CIPHERTEXT_BYTES": server_takes(
        "a ciphertext missing"
    ),
    "server.rounds.Sharing.receive: self.rostered.signed(message, message.body())": server_takes(
        "ciphertexts that are not signed"
    ),
    "server.rounds.Sharing.close: session.at_least(params.min_survivors, len(self.answered), "
    "'shared keys')": says("3 clients shared keys", goes_on(1)),
    "server.rounds.Sharing.close: session.at_least(params.min_survivors, len(U2), "
    "f'have {params.t} holders')": too_few_have_holders,
    "server.rounds.Collecting.receive: not self.relayed.in_U2[i]": not_in_U2,
    "server.rounds.Collecting._unpacked: len(message.vectors) != len(specs)": server_takes(
        "a vector too many", and_breaks=True
    ),
    "server.rounds.Collecting.receive: self.rostered.signed(message, "
    "message.body(self.relayed.sent[message.u]))": (
        server_takes("a vector that is not signed", and_breaks=True)
    ),
    "server.rounds.Collecting._columns_of: not strictly_ascending(unopened)": server_takes(
        "a complaint twice"
    ),
    "server.rounds.Collecting._columns_of: not set(senders) >= set(unopened)": server_takes(
        "a complaint about a stranger"
    ),
    "server.rounds.Collecting.close: session.at_least(needed, len(self.answered), "
    "'sent a masked input')": goes_on(2, t=3, corrupt=0, min_survivors=4),
    "server.rounds.Collecting.close: owners.check_holders(rostered, holders, present)": (
        unopenable_to_all_but_one
    ),
    "server.rounds.Checking.receive: not self.collected.owners.in_U3[self.rostered.roster.index[message.u]]": (
        lambda: bad_signature(10, absent=True)
    ),
    "server.rounds.Checking.receive: self.rostered.verify(message, self.body)": (
        lambda: bad_signature(10, absent=False)
    ),
    "server.rounds.Checking.close: session.at_least(needed, len(self.answered), 'signed U3')": goes_on(
        3
    ),
    "server.opening.Opening.receive: message.u not in self.U4": not_in_U4,
    "server.opening.Opening.receive: len(message.sealed) != expected": server_takes(
        "a share missing"
    ),
    "server.opening.Opening.receive: self.rostered.signed(message, message.body())": server_takes(
        "shares that are not signed"
    ),
    "server.opening.Opening.close: owners.check_holders(rostered, received, received)": (
        nobody_is_named
    ),
    "server.opening.Opening._aggregate: tally != expected": masks_that_do_not_cancel,
    "server.session.Session.at_least: seen < needed": goes_on(3),
    "server.session.Rostered.verify: self.transcript.verify(key, message.signature, "
    "message.round, message.u, body)": server_takes("a vector that is not signed", and_breaks=True),
    "server.session.Rostered.signed: self.verify(message, body)": server_takes(
        "a vector that is not signed", and_breaks=True
    ),
    "server.session.Owners.check_holders: session.at_least(t, int(counts[i]), "
    "f'are left that hold a share of client {u}', about)": (unopenable_to_all_but_one),
    "server.recovery.ShareTable._correct: found is None": another_commitment,
    "server_sealing.open_at_server: check_x25519(e_pk)": server_takes(
        "an ephemeral key of low order"
    ),
    "server.server._check_key: not isinstance(private_key, X25519PrivateKey)": takes(
        lambda: a_server_with(SERVER_KEY.private_bytes_raw())
    ),
    "server.server._check_key: private_key.public_key().public_bytes_raw() != params.server_key": takes(
        lambda: a_server_with(X25519PrivateKey.from_private_bytes(bytes(32)))
    ),
    "params.Params._check: check_server_key(self.server_key)": agreed(5, server_key=bytes(32)),
    "params.Params.need_server_key: not self.server_key": says(
        "no server_key", lambda: Party(5, server_key=b"")
    ),
    "curve.check_server_key: type(raw) is not bytes": agreed(
        5, server_key=bytearray(SERVER_PUBLIC)
    ),
    "curve.check_server_key: check_x25519(raw)": agreed(5, server_key=bytes(32)),
    "server.server.Server.__init__: _check_key(params, private_key)": takes(
        lambda: a_server_with(X25519PrivateKey.from_private_bytes(bytes(32)))
    ),
    "server.server._check_key: params.need_server_key()": says(
        "no server_key", lambda: Party(5, server_key=b"")
    ),
    "identity.directory.Pinned.__init__: check_server_key(server_key)": takes(
        lambda: secagg.Pinned(Party(5).directory, bytes(32))
    ),
    "identity.authority.Authority.__post_init__: check_server_key(self.server_key)": takes(
        lambda: secagg.Authority(Party(5).directory[10], bytes(32))
    ),
    "packing.unpack: raw.nbytes != size": server_takes("a vector too long", and_breaks=True),
    "packing._unpack_general: octets[-1] >> 8 - unused": takes(padding),
    "curve.check_x25519: u >= P": client_takes("roster: a non-canonical c_pk"),
    "curve.check_x25519: u in LOW_ORDER_U": low_order("s_pk"),
    "curve.check_ed25519: y >= P": enrolled((P + 3).to_bytes(32, "little")),
    "curve.check_ed25519: y in SMALL_ORDER_Y": enrolled(bytes(32)),
    "curve.check_ed25519: not _on_curve(y)": enrolled((2).to_bytes(32, "little")),
    "curve._integer: len(raw) != 32": takes(lambda: check_x25519(b"\x09" + bytes(30))),
    "sharing.shamir.from_digits: value >= 2 ** (8 * SECRET_BYTES)": takes(
        lambda: secagg.sharing.shamir.from_digits([65520] * 17)
    ),
    "sharing.shamir.decode_shares: residues.size and residues.max() >= P": server_takes(
        "a share whose digit is no field element"
    ),
    "wire.decode: view.nbytes == 0": takes(lambda: wire.decode(b"")),
    "wire.decode: view[0] != VERSION": says(
        "version 3", lambda: wire.decode(b"\3" + wire.encode(Survivors((10,)))[1:])
    ),
    "wire.decode: _encode(message) != view": takes(another_encoding),
    "params.Params.__init__: self._check(quorum)": orderly(5, 2, **too_small),
    "params.Params._check: not 2 <= self.n": says("n=1 clients", agreed(1)),
    "params.Params._check: self.min_survivors - self.corrupt < 2": alone_in_the_sum,
    "params.Params._check: not self.n <= MAX_CLIENTS": agreed(65521),
    "params.Params._check: self.corrupt < 0": agreed(5, t=3, corrupt=-1),
    "params.Params._check: not quorum <= self.min_survivors": small_quorum,
    "params.Params._check: not self.min_survivors <= self.min_roster": agreed(
        5, min_survivors=5, min_roster=4
    ),
    "params.Params._check: not self.min_roster <= self.n": agreed(5, min_roster=6),
    "params.Params._check: self.graph.check(n=self.n, t=self.t, corrupt=self.corrupt, "
    "min_roster=self.min_roster)": orderly(5, 2, **too_small),
    "params.Params._check: not 1 <= len(names) <= MAX_VECTORS": takes(lambda: secagg.Params(5, ())),
    "params.Params._check: len(set(names)) < len(names)": takes(
        lambda: secagg.Params(5, (*SPECS, *SPECS))
    ),
    "params.Params._check: type(self.session) is not bytes": agreed(5, session=bytearray(16)),
    "params.Params._check: type(self.context) is not bytes": agreed(5, context=bytearray(b"c")),
    "params.Params._check: len(self.session) < SESSION_BYTES": agreed(5, session=bytes(15)),
    "params._check_ints: value is not None and type(value) is not int": agreed(5, t=np.int64(4)),
    "graph.Complete.check: not t <= n": takes(
        lambda: Complete().check(n=5, t=6, corrupt=2, min_roster=5)
    ),
    "graph.Complete.check: not 2 * t > n + corrupt": orderly(5, 2, **too_small),
    "graph.Ring.__post_init__: type(self.k) is not int": takes(lambda: Harary(8.0)),
    "graph.Ring.check: k < 2": says("k=0 is not even", ring(0, 2)),
    "graph.Ring.check: k % 2": ring(7, 6),
    "graph.Ring.check: k >= min_roster": ring(10, 8),
    "graph.Ring.check: not least <= t": ring(8, 5),
    "graph.Ring.check: not t <= k": ring(8, 9),
    "graph.Ring.__post_init__: check_bits('privacy_bits', self.privacy_bits, "
    "LEAST_PRIVACY_BITS)": takes(lambda: CuriousOnlyHarary(8, privacy_bits=39)),
    "graph.Harary.__post_init__: check_bits('grinding_bits', self.grinding_bits, "
    "LEAST_GRINDING_BITS)": takes(lambda: Harary(8, grinding_bits=63)),
    "identity.directory.Pinned.__init__: check_entry(u, keys[u])": enrolled(bytes(32)),
    "identity.directory.Pinned.__init__: (v := owners.setdefault(keys[u], u)) != u": enrolled(
        Party(5).directory[50]
    ),
    "identity.directory.Pinned.identity: certificate": a_certificate_that_nobody_reads,
    "identity.directory.check_id: type(u) is not int": enrolled(Party(6).directory[60], u="60"),
    "identity.directory.check_id: not 0 <= u < 2 ** 63": enrolled(Party(6).directory[60], u=2**63),
    "identity.directory.check_entry: check_id(u)": enrolled(Party(6).directory[60], u=2**63),
    "identity.directory.check_entry: type(key) is not bytes": takes(
        lambda: secagg.identity.directory.check_entry(60, bytearray(Party(6).directory[60]))
    ),
    "identity.authority.Authority.identity: len(certificate) != CERTIFICATE_BYTES": says(
        "a certificate of 0 bytes", a_server_takes(brings(LIAR, b""))
    ),
    "identity.authority.Authority.identity: self._ca.verify(signature, _statement(u, key))": opened_by(
        self_certified
    ),
    "identity.authority.Authority.identity: check_entry(u, key)": a_server_takes(anybody_signs),
    "snapshots.sealed.check_key: len(key) not in (16, 32)": takes(
        lambda: secagg.SnapshotStore(b"short", lambda blob, generation: None)
    ),
    "snapshots.sealed.unseal: len(raw) < _HEADER_BYTES": restored_from(lambda blob: b""),
    "snapshots.sealed.unseal: raw[0] != LAYOUT": restored_from(lambda blob: b"\4" + blob[1:]),
    "snapshots.sealed.unseal: seen_generation != generation": says(
        "generation", restored_from(lambda blob: blob[:8] + b"\1" + blob[9:])
    ),
    "client.snapshot.Snapshots.answer_to: not self._reply": cannot_start,
    "client.snapshot.Snapshots.answer_to: request != self._request": the_last_answer_again,
}


def test_every_check_has_its_attack() -> None:
    assert {str(check) for check in checks()} == ATTACKS.keys()


@pytest.mark.parametrize("check", checks(), ids=str)
def test_the_attack_succeeds_if_and_only_if_the_check_is_gone(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack = ATTACKS[str(check)]
    assert not succeeds(attack)
    remove(monkeypatch, check)
    assert succeeds(attack)


# Defences that are no refusal: the same, with another function in their place.


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
    fields = (f for e in self.entries for f in (id_bytes(e.u), e.c_pk, e.s_pk, e.commitment))
    return sha256(ROSTER, *fields)


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
