"""A corrupt client that deals badly: shares that open, but lie on no one polynomial."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pytest

from secagg.errors import LocalProtocolError, RemoteProtocolError, TooFewClients
from secagg.keys import Transcript
from secagg.messages import CIPHERTEXT_BYTES, NONCE_BYTES, records
from secagg.sharing.shamir import SHARE_BYTES, encode_shares
from tests.helpers.held import public_key
from tests.helpers.party import Party
from tests.helpers.steady import Stream

DEALER = 50
S_SK, B = slice(16, 16 + SHARE_BYTES), slice(16 + SHARE_BYTES, None)


def party() -> Party:
    """7 clients, t = 4: decoding corrects ⌊(7−4)/2⌋ = 1 wrong share of b, ⌊(6−4)/2⌋ of s_sk."""
    return Party(7, t=4, corrupt=0)


def deal(party: Party, which: slice, victims: Collection[int]) -> None:
    """Round 1, where the dealer gives each victim another well-formed share than the one it has."""
    party.after(0)
    party.collect(but=[DEALER])
    dealer = party.clients[DEALER]
    reply = dealer.receive(party.outbox[DEALER])
    state = dealer._state
    binding = Transcript(party.params.digest(party.directory.digest), state.roster.digest)
    sealed = records(reply.ciphertexts, CIPHERTEXT_BYTES)
    for place, v in enumerate(sorted(state.channels)):
        if v in victims:
            aead, data = binding.aead(state.channels[v], DEALER, v), binding.associated_data(
                DEALER, v
            )  # fmt: skip
            nonce = sealed[place][:NONCE_BYTES]
            plaintext = bytearray(aead.decrypt(nonce, sealed[place][NONCE_BYTES:], data))
            plaintext[which] = encode_shares(np.full(17, v)).tobytes()
            fresh = Stream("nonce", v)(NONCE_BYTES)
            sealed[place] = fresh + aead.encrypt(fresh, bytes(plaintext), data)
    lie = party.signed(reply, ciphertexts=memoryview(b"".join(sealed)))
    party.server.receive(DEALER, lie)
    party.close()


def test_an_honest_holder_can_be_framed_and_stays_in_the_sum() -> None:
    """The wrong share came from 20's hand, but 50 dealt it: the dispute names both."""
    session = party()
    deal(session, B, [20])
    result = session.finish()
    assert result.disputes == ((DEALER, 20),)
    assert result.survivors == tuple(session.ids)
    assert result.sum.tolist() == session.expected(result.survivors)


def test_the_shares_of_a_mask_key_are_disputed_when_it_is_needed() -> None:
    session = party()
    deal(session, S_SK, [20])
    session.after(4, absent={DEALER: 2})
    result = session.server.result
    assert result.disputes == ((DEALER, 20),)
    assert result.survivors == tuple(u for u in session.ids if u != DEALER)
    assert result.sum.tolist() == session.expected(result.survivors)


@pytest.mark.parametrize(("which", "absent"), [(B, {DEALER: 2}), (S_SK, {})])
def test_bad_shares_that_nobody_needs_are_never_seen(which: slice, absent: dict[int, int]) -> None:
    session = party()
    deal(session, which, session.ids)
    session.after(4, absent=absent)
    assert session.server.result.disputes == ()
    assert session.server.result.sum.tolist() == session.expected(session.server.result.survivors)


@pytest.mark.parametrize("victims", [(20, 30), (20, 30, 40)])
def test_beyond_the_radius_of_the_code_the_commitment_still_tells(victims: tuple[int, ...]) -> None:
    """Two or three wrong shares of seven: the code corrects one, but four right ones are found."""
    session = party()
    deal(session, B, victims)
    result = session.finish()
    assert result.sum.tolist() == session.expected(tuple(session.ids))
    assert result.disputes == tuple((DEALER, victim) for victim in victims)


@pytest.mark.parametrize("victims", [(10, 20, 30, 40), (10, 20, 30, 40, 60, 70)])
def test_more_than_can_be_corrected_ends_the_session_and_names_the_dealer(
    victims: tuple[int, ...],
) -> None:
    """What one client can still do: stop the session. It does not get a wrong sum out of it."""
    session = party()
    deal(session, B, victims)
    with pytest.raises(RemoteProtocolError, match="the shares that client 50 dealt"):
        session.finish()
    with pytest.raises(LocalProtocolError, match="no result"):
        _ = session.server.result


@pytest.mark.parametrize("secret", ["b_u", "s_sk"])
def test_a_dealer_that_deals_another_secret_than_it_advertised(secret: str) -> None:
    """Wrong keys: all shares agree, so they are no transmission error; only the check tells."""
    session = party()
    session.collect(but=[DEALER])
    dealer = session.clients[DEALER]
    truth = dealer.start()
    other = Stream("another")(32)
    if secret == "b_u":
        digest = session.params.digest(session.directory.digest)
        lie = session.signed(truth, commitment=Transcript(digest).commitment(DEALER, other))
    else:
        lie = session.signed(truth, s_pk=public_key(other))
    session.server.receive(DEALER, lie)
    dealer._state = replace(dealer._state, hello=lie)
    session.close()
    with pytest.raises(RemoteProtocolError, match="50 dealt: they agree, but not with what it"):
        session.after(4, absent={} if secret == "b_u" else {DEALER: 2})


@pytest.mark.parametrize("stays", [True, False])
@pytest.mark.parametrize("left", range(1, 7))
def test_ciphertexts_that_open_for_too_few_end_the_session(left: int, stays: bool) -> None:
    """Only t = 4 holders can take off the masks of a dealer that stays, or of the others with it.

    Garbage for a few costs the dealer these holders and nobody anything; garbage for more than
    n − t stops the session, before anybody signs U3, by an error that names the dealer.
    """
    session = party()
    session.after(0)
    session.collect(but=[DEALER])
    truth = session.clients[DEALER].receive(session.outbox[DEALER])
    good = bytes(truth.ciphertexts)[: CIPHERTEXT_BYTES * left]
    garbage = good + bytes(CIPHERTEXT_BYTES * (6 - left))
    session.server.receive(DEALER, session.signed(truth, ciphertexts=memoryview(garbage)))
    session.close()
    session.collect(but=[] if stays else [DEALER])
    holders = left + stays  # the dealer is one itself
    if holders >= session.params.t:
        session.close()
        there = tuple(u for u in session.ids if stays or u != DEALER)
        assert session.finish().sum.tolist() == session.expected(there)
    else:
        with pytest.raises(
            TooFewClients, match=f"{holders} clients are left that hold a share of client 50"
        ):
            session.close()
