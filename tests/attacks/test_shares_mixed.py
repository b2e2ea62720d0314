"""Nobody can ask for a share: which one leaves follows from the one U3 that the client signed."""

from itertools import combinations
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secagg import wire
from secagg.errors import DecodeError, RemoteProtocolError
from secagg.messages import ServerMessage, Signatures, Survivors, Unmasking, records
from secagg.sharing.shamir import SHARE_BYTES
from tests.helpers.dishonest import Coalition
from tests.helpers.party import Party, shares_in

VICTIM = 10


def at_round_3(hidden: int | None = None) -> Coalition:
    """5 honest and 2 corrupt clients; everybody has sent its masked input."""
    party = Coalition(7, bad=2)
    for u in party.honest:
        party.show_roster(u, party.roster())
    for u in party.honest:
        party.show_senders(u, set(party.ids) - {u, hidden})
    return party


def test_one_list_of_ids_decides_and_the_other_chooses_nothing() -> None:
    """After round 2 a server message holds U3, or signers: of the latter only the number counts."""
    after_round_2 = [Survivors, Signatures]
    assert set(after_round_2) < set(get_args(ServerMessage))
    fields = [field.name for m in after_round_2 for field in msgspec.structs.fields(m)]
    assert fields == ["U3", "signers", "packed"]


@pytest.mark.parametrize(
    "U3", [(10, 20, 30, 40, 50, 60, 70), (10, 20, 30, 40, 50), (10, 30, 50, 60, 70)]
)
def test_the_same_shares_leave_whoever_signed(U3: tuple[int, ...]) -> None:
    replies = set()
    for signers in combinations(U3, 5):
        party = at_round_3()
        for u in set(party.honest) & set(U3):
            party.show_U3(u, U3)
        everybody = party.signatures(VICTIM)
        by = dict(zip(everybody.signers, everybody.signatures, strict=True))
        message = Signatures.of(signers, tuple(by[v] for v in signers))
        reply = party.clients[VICTIM].receive(message)
        replies.add(shares_in(reply, party.seen[VICTIM].binding))
    assert len(replies) == 1


@settings(derandomize=True, deadline=None, max_examples=40, database=None)
@given(st.sets(st.sampled_from([20, 30, 40, 50, 60, 70]), min_size=4))
def test_one_share_an_owner_of_b_if_it_survived_and_of_s_sk_if_not(others: set[int]) -> None:
    """Compared with what the owners dealt."""
    party = at_round_3()
    U3 = {VICTIM, *others}
    for u in set(party.honest) & U3:
        party.show_U3(u, U3)
    if len(party.signatures(VICTIM).signers) < 5:
        return
    held = party.clients[VICTIM]._state.held
    reply = party.clients[VICTIM].receive(party.signatures(VICTIM))
    owners = sorted([VICTIM, *held])
    released = shares_in(reply, party.seen[VICTIM].binding)
    shares = dict(zip(owners, records(released, SHARE_BYTES), strict=True))
    for owner, (s_share, b_share) in held.items():
        assert s_share != b_share
        assert shares[owner] == (b_share if owner in U3 else s_share)


def test_a_client_releases_no_share_of_its_own_mask_key() -> None:
    """It has none: dealing s_sk, it deals to its neighbours only."""
    party = at_round_3()
    for u in party.honest:
        party.show_U3(u, party.ids)
    state = party.clients[VICTIM]._state
    assert VICTIM not in state.held
    for u in party.honest:
        party.show_signatures(u)
    assert party.shares.s_sk[party.hello[VICTIM].s_pk].keys() == {6, 7}  # the two corrupt holders


def test_who_was_hidden_from_the_client_is_not_asked_about() -> None:
    """Without its ciphertext there is nothing to release, of either kind."""
    party = at_round_3(hidden=20)
    for u in set(party.honest) - {20}:
        assert party.show_U3(u, set(party.ids) - {20})
    reply = party.clients[VICTIM].receive(party.signatures(VICTIM))
    shares = shares_in(reply, party.seen[VICTIM].binding)
    assert len(shares) == SHARE_BYTES * len({VICTIM, 30, 40, 50})  # nor the corrupt's garbage


def test_two_lists_have_no_encoding() -> None:
    """What broke other systems: a list of the living and a list of the dead that overlap."""
    frame = wire.encode(Survivors((10, 20, 30)))
    [version], [tag, U3] = frame[:1], msgspec.msgpack.decode(frame[1:])
    two_lists = bytes([version]) + msgspec.msgpack.encode([tag, U3, [20]])
    with pytest.raises(DecodeError):
        wire.decode(two_lists)
    party = at_round_3()
    with pytest.raises(DecodeError):
        party.clients[VICTIM].receive(two_lists)
    assert party.clients[VICTIM].state == "Aborted"


def test_a_second_U3_is_refused_before_and_after_the_first_is_answered() -> None:
    for answered in (False, True):
        party = at_round_3()
        for u in party.honest:
            party.show_U3(u, party.ids)
        if answered:
            party.show_signatures(VICTIM)
        assert not party.show_U3(VICTIM, party.ids[:5])
        assert party.clients[VICTIM].state == ("Done" if answered else "Aborted")


def test_the_server_takes_one_share_an_owner() -> None:
    """A corrupt client that sends both of each is refused: the length says it."""
    party = Party(5).after(3)
    party.collect(but=[50])
    truth = party.clients[50].receive(party.outbox[50])
    both = party.resealed(truth, lambda shares: shares * 2)
    assert isinstance(both, Unmasking)
    with pytest.raises(RemoteProtocolError, match="388 bytes of sealed shares, expected 218"):
        party.server.receive(50, both)
