"""One lying client per check of the server: it is refused, and the others get their sum."""

from dataclasses import replace

import numpy as np
import pytest

from secagg.errors import DecodeError, LocalProtocolError, RemoteProtocolError, TooFewClients
from secagg.messages import CIPHERTEXT_BYTES, Survivors
from tests.helpers.lying_client import LIAR, STORIES, Story, flipped, opened
from tests.helpers.party import Party, unsigned


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_the_liar_is_refused_and_the_others_get_their_sum(story: Story) -> None:
    party = Party(5, outsiders=1).after(story.round - 1)
    party.collect(but=[LIAR])
    truth = party.answer(LIAR)
    with pytest.raises(RemoteProtocolError, match=story.says):
        party.server.receive(LIAR, story.lie(party, truth))
    party.close()
    result = party.finish()
    assert LIAR not in result.survivors or story.round > 2
    assert result.sum.tolist() == party.expected(result.survivors)
    heard_of = story.round > 0  # who never advertised is not of this session
    assert result.dropped == ({LIAR: story.round} if heard_of else {})


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_refused_message_changes_nothing(story: Story) -> None:
    """The truth after the lie is still welcome: refusing is not the same as having answered."""
    party = Party(5, outsiders=1).after(story.round - 1)
    party.collect(but=[LIAR])
    truth = party.answer(LIAR)
    with pytest.raises(RemoteProtocolError):
        party.server.receive(LIAR, story.lie(party, truth))
    party.server.receive(LIAR, truth)
    party.close()
    result = party.finish()
    assert (result.survivors, result.dropped) == (tuple(party.ids), {})
    assert result.sum.tolist() == party.expected(result.survivors)


@pytest.mark.parametrize("round", range(5))
def test_a_second_answer_is_refused_and_the_first_stands(round: int) -> None:
    party = Party(5).after(round - 1)
    party.collect()
    with pytest.raises(RemoteProtocolError, match="already answered"):
        party.server.receive(LIAR, party.replies[LIAR])
    party.close()
    assert party.finish().sum.tolist() == party.expected(tuple(party.ids))


@pytest.mark.parametrize("round", range(1, 5))
def test_a_late_answer_is_refused(round: int) -> None:
    party = Party(5).after(round - 1)
    late = party.replies[LIAR]
    with pytest.raises(RemoteProtocolError, match="while the server is"):
        party.server.receive(LIAR, late)
    assert party.finish().dropped == {}


def test_a_silent_client_cannot_come_back() -> None:
    for silence, match in ((0, "not in the roster"), (1, "not in U2"), (2, "not in U3"), (3, "U4")):
        party = Party(5).after(silence, absent={LIAR: silence})
        truth = Party(5).after(silence)
        truth.collect()
        with pytest.raises(RemoteProtocolError, match=match):
            party.server.receive(LIAR, truth.replies[LIAR])
        assert party.finish().sum.tolist() == party.expected(party.server.result.survivors)


def test_bytes_that_are_no_message_and_messages_no_client_sends() -> None:
    party = Party(5)
    with pytest.raises(DecodeError):
        party.server.receive(LIAR, b"")
    with pytest.raises(RemoteProtocolError, match="sent a Survivors"):
        party.server.receive(LIAR, Survivors((10,)))
    assert party.finish().dropped == {}


def test_one_client_more_than_n() -> None:
    party = Party(5, outsiders=1)
    party.inputs[60] = party.inputs[50]
    party.collect()
    with pytest.raises(RemoteProtocolError, match="client 60 is one more, expected at most n=5"):
        party.server.receive(60, party.client(60).start())


def test_ciphertexts_that_do_not_open_cost_their_sender_a_holder_and_nobody_the_session() -> None:
    party = Party(5).after(0)
    party.collect(but=[LIAR])
    dealt = party.clients[LIAR].receive(party.outbox[LIAR])
    garbage = flipped(dealt.ciphertexts, 40)  # the first ciphertext is for client 10
    party.server.receive(LIAR, party.signed(dealt, ciphertexts=garbage))
    party.close()
    party.collect()
    assert party.replies[10].unopened == (LIAR,)
    party.close()
    result = party.finish()
    assert result.sum.tolist() == party.expected(tuple(party.ids))


def test_ciphertexts_for_somebody_else_do_not_open() -> None:
    """Reflected, swapped and crossed ciphertexts: the key is of an ordered pair, the ids inside."""
    party = Party(5).after(1)
    message = party.outbox[30]
    raw = bytes(message.ciphertexts)
    swapped = raw[CIPHERTEXT_BYTES : 2 * CIPHERTEXT_BYTES] + raw[:CIPHERTEXT_BYTES]
    others = raw[2 * CIPHERTEXT_BYTES :]
    reply = party.clients[30].receive(unsigned(message, ciphertexts=memoryview(swapped + others)))
    assert reply.unopened == (10, 20)
    assert party.clients[30].state == "Masked"


def test_a_ciphertext_reflected_to_its_sender_does_not_open() -> None:
    party = Party(5).after(0)
    party.collect()
    own = bytes(party.replies[30].ciphertexts)[:CIPHERTEXT_BYTES]  # from 30, for 10
    party.close()
    message = party.outbox[30]
    reflected = own + bytes(message.ciphertexts)[CIPHERTEXT_BYTES:]  # as if from 10
    reply = party.clients[30].receive(unsigned(message, ciphertexts=memoryview(reflected)))
    assert reply.unopened == (10,)


def test_one_wrong_share_is_corrected_and_disputed() -> None:
    party = Party(7, t=4, corrupt=0)
    result = opened(party, 10, lambda shares: bytes([shares[0] ^ 1]) + shares[1:])
    assert result.sum.tolist() == party.expected(tuple(party.ids))
    assert result.disputes == ((10, 10),)


def test_all_shares_of_one_holder_wrong() -> None:
    party = Party(7, t=4, corrupt=0)
    result = opened(party, 20, lambda shares: bytes(len(shares)))
    assert result.sum.tolist() == party.expected(tuple(party.ids))
    assert result.disputes == ((10, 20),)  # and the others do without 20 from then on


def test_one_share_to_spare_is_enough_to_do_without_one_wrong_share() -> None:
    party = Party(5)  # t=4 of 5: no code corrects this, but the commitment tells the right four
    result = opened(party, 20, lambda shares: bytes([shares[0] ^ 1]) + shares[1:])
    assert result.sum.tolist() == party.expected(tuple(party.ids))
    assert result.disputes == ((10, 20),)


def test_a_wrong_share_that_cannot_be_corrected_is_an_error_and_no_sum() -> None:
    party = Party(5)  # t=4 of 5 holders, and one of them is gone: none to spare
    with pytest.raises(RemoteProtocolError, match="shares that client 10 dealt"):
        opened(party, 10, lambda shares: bytes([shares[0] ^ 1]) + shares[1:], gone=50)
    with pytest.raises(LocalProtocolError, match="no result"):
        _ = party.server.result
    with pytest.raises(LocalProtocolError, match="over"):
        party.server.close_round()


def test_a_wrong_commitment_is_an_error_and_no_sum() -> None:
    party = Party(5)
    party.collect(but=[LIAR])
    truth = party.clients[LIAR].start()
    lie = party.signed(truth, commitment=bytes(32))
    party.server.receive(LIAR, lie)
    party.clients[LIAR]._state = replace(party.clients[LIAR]._state, hello=lie)
    party.close()
    with pytest.raises(RemoteProtocolError, match="client 50 dealt: they agree, but not with what"):
        party.finish()


def test_a_vector_without_its_tally_is_an_error_and_no_sum() -> None:
    party = Party(5).after(1)
    party.collect(but=[LIAR])
    truth = party.clients[LIAR].receive(party.outbox[LIAR])
    words = np.frombuffer(truth.vectors[0], "<u2").copy()
    words[-1] += 1
    party.server.receive(LIAR, party.signed(truth, vectors=(words.data.cast("B"),)))
    party.close()
    with pytest.raises(RemoteProtocolError, match="tally 6, expected 5"):
        party.finish()


@pytest.mark.parametrize("round", range(5))
def test_too_few_clients_is_an_error_and_no_sum(round: int) -> None:
    party = Party(5)
    party.after(round - 1)
    party.collect(but=[10, 20])
    with pytest.raises(TooFewClients, match=r"3 clients .* expected at least 4"):
        party.close()
    with pytest.raises(RemoteProtocolError, match="the session is over"):
        party.server.receive(10, party.replies[30])
    with pytest.raises(LocalProtocolError, match="no result: Failed"):
        _ = party.server.result
