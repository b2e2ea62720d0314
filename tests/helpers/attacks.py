"""What attacks on several rooms are made of: stories that end in a broken session, and what counts.

What success means, from worst to mildest: an honest client's secret or input is opened; two U3 are
opened; the sum is wrong; one client stops the others' session; an honest host dies of an untyped
error; the lie is taken for true, where a second check would stop it later; the reason is wrong.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import secagg
from secagg.errors import LocalProtocolError, RemoteProtocolError, SecAggError
from secagg.graph import Harary, _ring
from secagg.keys import Transcript
from secagg.messages import CIPHERTEXT_BYTES, NONCE_BYTES, Roster, Signatures, records
from secagg.roster import CheckedRoster
from tests.helpers.breaks import UNTYPED, Attack
from tests.helpers.dishonest import Coalition, harm
from tests.helpers.lying_client import LIAR, STORIES
from tests.helpers.lying_server import LIES, VICTIM
from tests.helpers.party import SPECS, Party, unsigned
from tests.helpers.steady import Steady

# What counts as success.

NUMPYS = (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError, AttributeError)


def ends_wrong(party: Party) -> bool:
    """Whether this session, honest from here on, ends without the right sum."""
    try:
        result = party.finish()
    except (SecAggError, *UNTYPED):
        return True
    return result.sum.tolist() != party.expected(result.survivors)


def takes(attack: Callable[[], Any]) -> Attack:
    """Success is that it is accepted."""

    def taken() -> bool:
        attack()
        return True

    return taken


def says(what: str, attack: Callable[[], Any]) -> Attack:
    """A later check refuses as well: then success is that the reason given is another."""

    def wrong_reason() -> bool:
        try:
            attack()
        except SecAggError as error:
            return what not in str(error)
        return True

    return wrong_reason


def mistaken(says: str, mistake: Callable[[], Any]) -> Attack:
    """Success is that a mistake of the caller is taken, or refused for another reason."""

    def goes_on() -> bool:
        try:
            mistake()
        except (LocalProtocolError, RemoteProtocolError) as error:
            return re.search(says, str(error)) is None
        except NUMPYS:
            return True  # untyped, and it does not say what was expected
        return True

    return goes_on


# Lies of which the tests of lying clients and servers say how they are refused: believed.


def client_takes(name: str) -> Attack:
    """This lie of a server is believed."""
    round, _, lie = LIES[name]

    def attack() -> bool:
        party = Party(5, outsiders=1).after(round)
        party.clients[VICTIM].receive(lie(party, party.outbox[VICTIM]))
        return True

    return attack


def server_takes(name: str, *, and_breaks: bool = False) -> Attack:
    """This lie of a client is believed, and perhaps the session breaks of it."""
    story = STORIES[name]

    def attack() -> bool:
        party = Party(5, outsiders=1).after(story.round - 1)
        party.collect(but=[LIAR])
        party.server.receive(LIAR, story.lie(party, party.answer(LIAR)))
        party.close()
        return ends_wrong(party) or not and_breaks

    return attack


# One client.


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


def dealt(change: Callable[[bytes], bytes], holders: Iterable[int]) -> Party:
    """LIAR has sealed another plaintext for these holders; all have sent their masked input."""
    party = Party(5).after(0)
    party.collect(but=[LIAR])
    reply = party.answer(LIAR)
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
    party.server.receive(LIAR, party.signed(reply, ciphertexts=memoryview(b"".join(sealed))))
    party.close()
    party.collect()
    return party


def a_digit_too_large_inside() -> bool:
    """The honest holder's whole last message would be refused."""
    party = dealt(lambda plaintext: plaintext[:16] + b"\xff" * 68, [10])
    party.close()
    return ends_wrong(party)


# Sessions and coalitions.


def shared(party: Coalition) -> Coalition:
    """Everybody has dealt its shares in the one roster."""
    for u in party.honest:
        party.show_roster(u, party.roster())
    return party


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


def forged(party: Coalition, u: int) -> Signatures:
    return Signatures.of(tuple(party.seen[u].U3[:5]), (bytes(64),) * 5)


def many_faces() -> bool:
    """One corrupt client under t keys: it gets t shares of both secrets."""
    party = Coalition(5, bad=1, t=4, corrupt=1)
    faces = tuple(party.face(50, number) for number in range(4))
    party.show_roster(10, Roster.of((party.hello[10], *faces)))
    return party.both_opened() == (10,)


def man_in_the_middle() -> bool:
    """Everybody else's keys are the server's own: it holds all shares, and knows all masks."""
    party = Coalition(7, bad=2)
    fakes = [unsigned(party.face(u), signature=bytes(64)) for u in party.ids if u != 10]
    if party.show_roster(10, Roster.of((party.hello[10], *fakes))):
        party.show_senders(10, party.ids[1:])
    return party.both_opened() == (10,) and party.learned()[0].clients == (10,)


def a_stranger_far_away() -> bool:
    """An id that nobody enrolled takes a place on the ring, beyond the victim's neighbours."""
    party = Steady(13, graph=Harary(8), t=7, corrupt=1, min_roster=11).after(0)
    true: Any = party.outbox[10]
    for place in range(2**7):
        entry = unsigned(true.entry(12), u=1000, commitment=bytes([place]) * 32)
        roster = Roster.of((*true.entries[:12], entry))
        digest = CheckedRoster(roster, party.directory).digest
        if 12 not in party.params.graph.row(digest, 13, 0):
            break
    party.clients[10].receive(roster)
    return True


def sparse() -> Party:
    """13 clients on a ring, of whom each has 8 neighbours."""
    return Steady(13, graph=Harary(8), t=7, corrupt=1, min_roster=11)


def too_few_neighbours(party: Party) -> list[int]:
    """Five neighbours on the ring, without whom too few have t = 7 of 9 holders."""
    server: Any = party.server
    ring, _ = _ring(party.roster_digest(), 13)
    return [server._round.rostered.roster.ids[i] for i in ring[:5].tolist()]


def agreed(n: int, graph: Any = None, **params: Any) -> Attack:
    """Success is that these are parameters."""
    return takes(lambda: secagg.Params(n, SPECS, graph=graph, **params))
