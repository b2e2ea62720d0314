"""Whoever sits on the wire, without TLS: what it can change, what it can learn, whom it can blame.

Every message of the server is changed at every place that a client might not look at: each byte,
each record left out, each put there twice.  A client either aborts, or goes on with what it was
sent; in the second case the server notices, or it makes no difference.  The listener has all
frames, and up to t − 1 clients on its side.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import secagg
from secagg import wire
from secagg.client.states import Advertised, Shared
from secagg.errors import RemoteProtocolError, TooFewClients
from secagg.keys import Transcript
from secagg.messages import CIPHERTEXT_BYTES, Ciphertexts, records
from tests.helpers.dishonest import Coalition
from tests.helpers.lying_client import LIAR, STORIES, Story
from tests.helpers.party import Party, unsigned
from tests.helpers.steady import Steady

VICTIM = 10
RELAY = X25519PrivateKey.from_private_bytes(b"relay" + bytes(27))
ONE_BIT = (secagg.VectorSpec("bit", 1, 1),)


def without(message: Ciphertexts, gone: int) -> Ciphertexts:
    """The record of one sender taken out of the frame."""
    sealed = dict(zip(message.senders, records(message.ciphertexts, CIPHERTEXT_BYTES), strict=True))
    del sealed[gone]
    return Ciphertexts(tuple(sealed), memoryview(b"".join(sealed.values())))


@pytest.mark.parametrize("session", range(16))
def test_a_record_taken_out_on_the_way_gives_no_wrong_sum(session: int) -> None:
    """One vector of one bit: the tally alone would miss every second wrong sum."""
    rng = np.random.default_rng(session)
    inputs = {u: rng.integers(0, 2, 1, np.uint8) for u in (10, 20, 30, 40, 50, 60, 70)}
    params = secagg.Params(7, ONE_BIT, session=b"one bit, of many %d" % session)

    def link(sender: int | None, receiver: int | None, frame: bytes) -> bytes:
        message = wire.decode(frame)
        if receiver == VICTIM and isinstance(message, Ciphertexts):
            return wire.encode(without(message, 20))
        return frame

    result = secagg.run(params, inputs, link=link)
    assert result.dropped == {VICTIM: 2}
    assert int(result.sum[0]) == sum(int(inputs[u][0]) for u in result.survivors) % 2


def test_the_masked_input_of_another_view_is_refused_and_blames_nobody() -> None:
    party = Party(5).after(1)
    party.collect(but=[VICTIM])
    sent: Any = party.outbox[VICTIM]
    reply = party.clients[VICTIM].receive(without(sent, 20))
    with pytest.raises(RemoteProtocolError, match="in answer to what was sent") as refused:
        party.server.receive(VICTIM, reply)
    assert (refused.value.sender, refused.value.about) == (None, ())


def changes(frame: bytes) -> Iterator[bytes]:
    """The frame with each of its bytes changed, all bits or the lowest, and cut at each place."""
    for place in range(len(frame)):
        for bits in (0x01, 0xFF):
            octets = bytearray(frame)
            octets[place] ^= bits
            yield bytes(octets)
    yield from (frame[:end] for end in range(len(frame)))


def rewritten(message: Any) -> Iterator[bytes]:
    """The message with one record of each of its lists left out, or put there twice."""
    fields = {name: getattr(message, name) for name in message.__struct_fields__}
    lists = {name: list(records_of(value)) for name, value in fields.items()}
    for i in range(min(map(len, lists.values()))):
        for change in (lambda x, i=i: x[:i] + x[i + 1 :], lambda x, i=i: x[: i + 1] + x[i:]):
            changed = {name: joined(change(lists[name]), fields[name]) for name in fields}
            yield wire.encode(type(message)(**changed))


def records_of(value: Any) -> list[Any]:
    return records(value, CIPHERTEXT_BYTES) if isinstance(value, memoryview) else list(value)


def joined(parts: list[Any], like: Any) -> Any:
    return memoryview(b"".join(parts)) if isinstance(like, memoryview) else tuple(parts)


def again(client: secagg.Client) -> secagg.Client:
    """The client as it is now, once more: one that refused a frame is used up."""
    other, state = copy(client), client._state
    if isinstance(state, Advertised | Shared):
        other._state = replace(state, vectors=[vector.copy() for vector in state.vectors])
    return other


@pytest.mark.parametrize("round", [1, 2, 3, 4])
def test_the_client_or_the_server_notices_every_change_of_a_server_message(round: int) -> None:
    """Not a sample: every byte, and every record. Nobody is blamed for what the wire did."""
    party = Steady(5).after(round - 1)
    truth = party.outbox[VICTIM]
    for frame in [*changes(wire.encode(truth)), *rewritten(truth)]:
        try:
            reply = again(party.clients[VICTIM]).receive(frame)
        except RemoteProtocolError:
            continue  # the client is Aborted: a drop-out
        with pytest.raises(RemoteProtocolError, match="signature") as refused:
            party.server.receive(VICTIM, reply)
        assert (refused.value.sender, refused.value.about) == (None, ())
    party.server.receive(VICTIM, party.clients[VICTIM].receive(truth))


# What the wire tells.


def test_a_listener_with_t_minus_1_clients_opens_nothing() -> None:
    """It has every frame and all that its clients know; the shares of round 4 are not among it."""
    party = Coalition(7, bad=4, t=5, corrupt=2)
    for u in party.honest:
        party.show_roster(u, party.roster())
    for u in party.honest:
        party.show_senders(u, set(party.ids) - {u})
    for u in party.honest:
        party.show_U3(u, party.ids)
    signatures = {u: party.signatures(u) for u in party.honest}
    sealed = [party.clients[u].receive(signatures[u]) for u in party.honest]
    assert [party.opened_b(u) for u in party.honest] == [None] * 3
    assert party.learned() == []
    raw = b"".join(wire.encode(message) for message in sealed)
    for shares in (*party.shares.b.values(), *party.shares.s_sk.values()):
        assert not any(share in raw for share in shares.values())


def test_the_same_frames_and_the_server_s_key_open_the_sum() -> None:
    """The sanity check of the test above: with the key, the shares are there."""
    party = Coalition(7, bad=4, t=5, corrupt=2)
    party.play()
    assert [learned.clients for learned in party.learned()] == [party.honest]


def test_a_relay_that_plays_the_server_ends_without_a_sum() -> None:
    """It can run a `Server` of its own for the same params, but not with the server's key."""
    party = Party(5)
    with pytest.raises(secagg.LocalProtocolError, match="the private key is another"):
        secagg.Server(party.params, directory=party.directory, private_key=RELAY)
    party.after(3)
    party.collect(but=party.ids)
    relay: Any = party.server._round
    session = replace(relay.rostered.session, private_key=RELAY)
    relay.rostered = replace(relay.rostered, session=session)
    for u in party.ids:
        with pytest.raises(RemoteProtocolError, match="do not open"):
            party.server.receive(u, party.clients[u].receive(party.outbox[u]))
    with pytest.raises(TooFewClients):
        party.close()


# Whom an error names.


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_the_sender_is_named_for_what_it_signed_and_for_nothing_else(story: Story) -> None:
    party = Party(5, outsiders=1).after(story.round - 1)
    party.collect(but=[LIAR])
    lie = story.lie(party, party.answer(LIAR))
    with pytest.raises(RemoteProtocolError) as refused:
        party.server.receive(LIAR, lie)
    assert refused.value.sender in (LIAR, None)
    if refused.value.sender == LIAR:  # then it is indeed LIAR's own
        key = party.keys[LIAR].public_key()
        roster = b"" if story.round == 0 else party.roster_digest()
        digest = party.params.digest(party.directory.digest)
        Transcript(digest, roster).verify(key, lie.signature, lie.round, LIAR, party.body(lie))
    assert LIAR in party.ids


@pytest.mark.parametrize(("liars", "about"), [((10, 20), ()), ((10, 20, 30), (50,))])
def test_a_dealer_is_named_only_if_more_than_the_corrupt_complain(
    liars: tuple[int, ...], about: tuple[int, ...]
) -> None:
    """t = 4 of 5 and corrupt = 2: two may lie that what 50 dealt did not open, three may not."""
    party = Party(5).after(1)
    party.collect(but=liars)
    for u in liars:
        truth = party.clients[u].receive(party.outbox[u])
        party.server.receive(u, party.signed(truth, unopened=(50,)))
    with pytest.raises(TooFewClients, match="hold a share of client 50") as error:
        party.close()
    assert (error.value.sender, error.value.about) == (None, about)


def test_flipped_bits_in_all_that_an_honest_client_dealt_blame_nobody() -> None:
    party = Party(5).after(1)
    for u in party.ids[:-1]:
        sent: Any = party.outbox[u]
        raw = bytearray(sent.ciphertexts)
        raw[-CIPHERTEXT_BYTES] ^= 1  # the record of 50, the last
        party.outbox[u] = unsigned(sent, ciphertexts=memoryview(bytes(raw)))
    refused = []
    for u in party.ids:
        reply = party.clients[u].receive(party.outbox[u])
        try:
            party.server.receive(u, reply)
        except RemoteProtocolError as error:
            refused.append((u, error.sender, error.about))
    assert refused == [(u, None, ()) for u in party.ids[:-1]]
    with pytest.raises(TooFewClients, match="1 clients sent a masked input") as failed:
        party.close()
    assert failed.value.about == ()


def test_a_forged_frame_of_round_0_blames_nobody() -> None:
    party = Party(5)
    hello = party.clients[VICTIM].start()
    for forged in (unsigned(hello, c_pk=bytes(32)), unsigned(hello, signature=bytes(64))):
        with pytest.raises(RemoteProtocolError, match="in the name of client 10") as refused:
            party.server.receive(VICTIM, forged)
        assert (refused.value.sender, refused.value.about) == (None, ())
    party.server.receive(VICTIM, hello)


def test_who_was_overtaken_with_its_own_key_is_not_named_as_the_liar() -> None:
    """Seen on the wire and advertised by somebody else first: the second is refused."""
    party = Party(5)
    hello = party.clients[VICTIM].start()
    party.server.receive(LIAR, party.advertisement(LIAR, hello.c_pk, bytes([9] * 32), bytes(32)))
    with pytest.raises(RemoteProtocolError, match="a public key a second time") as refused:
        party.server.receive(VICTIM, hello)
    assert (refused.value.sender, refused.value.about) == (None, (VICTIM,))
