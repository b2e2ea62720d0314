"""Each `except` of the package is removed in turn, and then something untyped gets through.

A guard turns what a library raises, or what is another's fault, into the typed error of the place
where it is met, or into a lie that costs its author only.  An attack succeeds where somebody honest
dies of an exception that is not the package's, or the session of the others is stopped.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag

import secagg
from secagg import LocalProtocolError, RemoteProtocolError, wire
from secagg.identity.authority import issue
from secagg.messages import AdvertiseKeys, Ciphertexts, Roster, SessionEnd
from tests.helpers.attacks import a_digit_too_large_inside
from tests.helpers.breaks import Attack, Attacks
from tests.helpers.certificates import CA, OTHER_CA, Lie, anybody_signs, brings, public
from tests.helpers.hosts import Host
from tests.helpers.lying_client import LIAR, STORIES, flipped, opened
from tests.helpers.party import Party, unsigned
from tests.helpers.removed import GUARDED, MODULES, guards, unguard

UNTYPED = (InvalidSignature, InvalidTag, msgspec.DecodeError, UnicodeDecodeError, RecursionError)


attacks = Attacks(*MODULES, *GUARDED, found=guards, remove=unguard, judge=lambda attack: attack())
breaks = attacks.breaks


def dies(attack: Callable[[], Any]) -> Attack:
    """Success is an exception of a library in somebody honest."""

    def died() -> bool:
        try:
            attack()
        except secagg.SecAggError:
            return False
        except (*UNTYPED, KeyError):
            return True
        return False

    return died


def raises(kind: type[secagg.SecAggError], attack: Callable[[], Any]) -> Attack:
    """Success is an error of the wrong kind."""

    def raised() -> bool:
        try:
            attack()
        except secagg.SecAggError as error:
            return isinstance(error, kind)
        return False

    return raised


def blames_the_caller(attack: Callable[[], Any]) -> Attack:
    """Success is that a peer's lie is told to the host as the host's own mistake."""
    return raises(LocalProtocolError, attack)


def blames_the_peer(attack: Callable[[], Any]) -> Attack:
    """Success is the other way round: the host's mistake is told as a peer's."""
    return raises(RemoteProtocolError, attack)


def server_is_sent(lie: Lie, *, ca: Any = None) -> Callable[[], None]:
    def sent() -> None:
        party = Party(5, ca=ca)
        party.server.receive(LIAR, lie(party, party.clients[LIAR].start()))

    return sent


def story(name: str) -> Callable[[], None]:
    """A lie of test_lying_client, told to the server."""
    told = STORIES[name]

    def tell() -> None:
        party = Party(5, outsiders=1).after(told.round - 1)
        party.collect(but=[LIAR])
        party.server.receive(LIAR, told.lie(party, party.answer(LIAR)))

    return tell


def garbage_for_10() -> None:
    party = Party(5).after(1)
    sent: Any = party.outbox[10]
    party.clients[10].receive(Ciphertexts(sent.senders, flipped(sent.ciphertexts)))


def a_stranger() -> None:
    party = Party(5)
    party.server.receive(77, AdvertiseKeys(77, bytes(32), bytes(32), bytes(32), b"", bytes(64)))


def one_wrong_share(shares: Callable[[bytes], bytes]) -> Attack:
    """One to spare: it is corrected, or left out."""

    def attack() -> bool:
        party = Party(5)
        try:
            result = opened(party, 20, shares)
        except secagg.SecAggError:
            return True
        return result.sum.tolist() != party.expected(result.survivors)

    return attack


@breaks("client.client.Client._advance", "except RemoteProtocolError")
def a_refusal_is_forgotten() -> bool:
    """A host that restores a client which has refused a roster shows it the next one."""
    party = Party(5)
    host = Host(party, 10)
    party.clients[10] = host.client
    party.after(0)
    truth: Any = party.outbox[10]
    with pytest.raises(RemoteProtocolError):
        host.client.receive(Roster.of(truth.entries[:-2]))
    try:
        host.restored(host.generation).receive(truth)
    except secagg.SecAggError:
        return False
    return True


@breaks("errors.signed_by", "except RemoteProtocolError")
def the_liar_is_not_named() -> bool:
    try:
        story("a vector too many")()
    except RemoteProtocolError as refused:
        return refused.sender != LIAR
    return True


def one_garbled_frame(to_client: bool) -> Attack:
    """Lost, it costs one client; in a simulation too."""
    params = secagg.Params(5, [secagg.VectorSpec("x", 1, 8)])

    def link(sender: int | None, receiver: int | None, frame: bytes) -> bytes:
        garbled = receiver == 2 if to_client else sender == 2
        return b"\0" + frame[1:] if garbled else frame

    def attack() -> bool:
        inputs = {u: np.ones(1, np.uint8) for u in range(5)}
        try:
            return len(secagg.run(params, inputs, link=link).survivors) != 4
        except secagg.SecAggError:
            return True

    return attack


def restored(change: Callable[[bytes], bytes]) -> Callable[[], None]:
    def attack() -> None:
        host = Host(Party(5), 10)
        host.client.start()
        host.restored_from(change(host.disk[1]), 1)

    return attack


def decoder_raises(error: Exception) -> Callable[[], None]:
    """msgspec documents this error; no bytes are known that raise it for these message types."""

    class Decoder:
        def decode(self, raw: memoryview) -> None:
            raise error

    def attack() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wire, "_decoder", Decoder())
            wire.decode(b"\3\x92\x05\x90")

    return attack


@breaks("client.sealing.open_shares", "except RemoteProtocolError")
def breaks_a_client() -> bool:
    """A digit that is no field element, sealed well: the honest holder must not abort."""
    try:
        return a_digit_too_large_inside()
    except RemoteProtocolError:
        return True


signed_by_nobody = brings(LIAR, issue(OTHER_CA, LIAR, public(LIAR)))
breaks("client.sealing.open_shares", "except InvalidTag")(dies(garbage_for_10))
breaks("server_sealing.open_at_server", "except InvalidTag")(
    dies(story("shares that are sealed to nobody"))
)
breaks("server.recovery.ShareTable._correct", "except RemoteProtocolError")(
    one_wrong_share(lambda shares: bytes([shares[0] ^ 1]) + shares[1:])
)
breaks("server.recovery._checked", "except RemoteProtocolError")(
    one_wrong_share(lambda shares: b"\xf0\xff" * 17 + shares[34:])
)
breaks("curve.check_server_key", "except RemoteProtocolError")(
    blames_the_peer(lambda: Party(5, server_key=bytes(32)))
)
breaks("wire.decode", "except msgspec.DecodeError")(dies(lambda: wire.decode(b"\3\x05")))
breaks("wire.decode", "except UnicodeDecodeError")(
    dies(decoder_raises(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text")))
)
breaks("wire.decode", "except RecursionError")(dies(decoder_raises(RecursionError())))
breaks("identity.directory.Pinned.__getitem__", "except KeyError")(dies(a_stranger))
breaks("identity.directory.check_entry", "except RemoteProtocolError")(
    blames_the_peer(lambda: secagg.Pinned({10: bytes(32)}))
)
breaks("identity.authority.Authority.__post_init__", "except RemoteProtocolError")(
    blames_the_peer(lambda: secagg.Authority(bytes(32)))
)
breaks("identity.authority.Authority.identity", "except InvalidSignature")(
    dies(server_is_sent(signed_by_nobody, ca=CA))
)
breaks("identity.authority.Authority.identity", "except LocalProtocolError")(
    blames_the_caller(server_is_sent(anybody_signs, ca=CA))
)
breaks("ending.check_end", "except InvalidSignature")(
    dies(lambda: Party(5).after(1).clients[10].end(SessionEnd(True, bytes(32))))
)
breaks("snapshots.sealed.unseal", "except InvalidTag")(
    dies(restored(lambda blob: blob[:-1] + bytes([blob[-1] ^ 1])))
)
breaks("keys.Transcript.verify", "except InvalidSignature")(
    dies(server_is_sent(lambda p, m: unsigned(m, signature=bytes(64))))
)
breaks("simulation.network.Network.up", "except RemoteProtocolError")(
    one_garbled_frame(to_client=False)
)
breaks("simulation.workers.replies", "except RemoteProtocolError")(
    one_garbled_frame(to_client=True)
)

test_every_guard_has_its_attack, test_an_attack_needs_its_guard_gone = attacks.tests()
