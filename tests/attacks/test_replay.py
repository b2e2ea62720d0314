"""Messages that were true once: of an earlier session, of an earlier round, said before."""

import pytest

from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.messages import Signatures, Survivors
from tests.helpers.dishonest import Coalition, harm
from tests.helpers.party import Party

GHOSTS = (10, 20)


def haunted(ghosts: tuple[int, ...]) -> Coalition:
    """A session whose id was used before, where `ghosts` dropped and their s_sk were opened.

    The server replays their advertisements of then; the clients themselves are not here now.
    """
    now = Coalition(7, bad=2, streams="now")
    for ghost in ghosts:
        before = Coalition(7, bad=2, streams=f"before, when {ghost} dropped")
        survivors = set(before.ids) - {ghost}
        before.play(U3=lambda _, survivors=survivors: survivors)
        s_sk = before.opened_s_sk(ghost)
        assert s_sk is not None
        now.hello[ghost] = before.hello[ghost]
        now.secrets[now.hello[ghost].s_pk] = s_sk
    now.honest = tuple(u for u in now.honest if u not in ghosts)
    roster = now.roster((*ghosts, *now.honest))
    for u in now.honest:
        assert now.show_roster(u, roster), "a ghost is an honest client's true advertisement"
    for u in now.honest:
        assert now.show_senders(u, set(now.ids) - {u})
        assert set(now.seen[u].unopened) == {*ghosts, *now.corrupt}
        assert now.show_U3(u, now.ids)
    return now


def test_ghosts_do_not_count_as_survivors() -> None:
    """|U3| = 7 of which 2 are ghosts: 3 living and 2 corrupt sign, exactly min_survivors = 5."""
    party = haunted(GHOSTS)
    for u in party.honest:
        assert party.show_signatures(u)
    [learned] = party.learned()
    assert learned.clients == (30, 40, 50)  # min_survivors - corrupt, and not one fewer


def test_one_ghost_more_and_nobody_answers() -> None:
    """|U3| = 7 again, but 2 living and 2 corrupt signatures are fewer than min_survivors = 5."""
    party = haunted((*GHOSTS, 30))
    for u in party.honest:
        assert not party.show_signatures(u)
    assert party.learned() == []
    assert harm(party) is None


def test_a_client_does_not_take_its_own_ghost_for_itself() -> None:
    before, now = (Coalition(7, bad=2, streams=s) for s in ("before", "now"))
    now.hello[30] = before.hello[30]
    assert not now.show_roster(30, now.roster())
    assert now.clients[30].state == "Aborted"
    assert now.show_roster(40, now.roster())


def test_signatures_of_the_same_U3_in_an_earlier_session_do_not_count() -> None:
    """Session id, ids, parameters: all the same; the roster's fresh keys are not."""
    before, now = (Coalition(7, bad=2, streams=s) for s in ("before", "now"))
    before.play()
    roster = now.roster()
    for u in now.honest:
        now.show_roster(u, roster)
        now.show_senders(u, set(now.ids) - {u})
        now.show_U3(u, now.ids)
    assert now.seen[30].U3 == before.seen[30].U3
    assert not now.show_signatures(30, before.signatures(30))
    assert now.show_signatures(40, now.signatures(40))


@pytest.mark.parametrize("round", range(1, 5))
def test_a_client_message_of_an_earlier_session_is_refused(round: int) -> None:
    """A recorded answer, played back to the server in a session with the same id."""
    before, now = Party(5).after(round - 1), Party(5).after(round - 1)
    before.collect()
    with pytest.raises(RemoteProtocolError, match=f"signature of round {round}"):
        now.server.receive(30, before.replies[30])
    now.collect()
    now.close()
    assert now.finish().survivors == tuple(now.ids)


def test_an_old_advertisement_under_the_same_session_id_is_a_dropout() -> None:
    """Round 0 is the one message that can be played back: it costs its author the session."""
    before, now = Party(5), Party(5)
    before.collect()
    now.collect(but=[30])
    now.clients[30].start()
    now.server.receive(30, before.replies[30])
    now.close()
    with pytest.raises(RemoteProtocolError, match="does not hold what client 30"):
        now.clients[30].receive(now.outbox.pop(30))
    result = now.finish()
    assert (result.survivors, result.dropped) == ((10, 20, 40, 50), {30: 1})
    assert result.sum.tolist() == now.expected(result.survivors)


@pytest.mark.parametrize("round", [0, 3])
def test_a_server_message_of_an_earlier_session_aborts(round: int) -> None:
    before, now = Party(5).after(round), Party(5).after(round)
    with pytest.raises(RemoteProtocolError):
        now.clients[30].receive(before.outbox[30])


def test_ciphertexts_of_an_earlier_session_do_not_open() -> None:
    before, now = Party(5).after(1), Party(5).after(1)
    assert now.clients[30].receive(before.outbox[30]).unopened == (10, 20, 40, 50)


def test_asked_twice_for_unmasking() -> None:
    """The victim survived, and after the answer it has not: nobody is asked a second time."""
    party = Coalition(7, bad=2)
    party.play()
    without = tuple(party.ids[1:])
    signers = (60, 70)
    again = Signatures.of(signers, tuple(
        party.sign_U3(v, party.seen[20].roster.digest, without) for v in signers
    ))  # fmt: skip
    for u in party.honest:
        for message in (Survivors(without), again, party.signatures(u)):
            with pytest.raises(LocalProtocolError, match="Done"):
                party.clients[u].receive(message)
    assert harm(party) is None


def test_asked_to_sign_another_U3_before_unmasking() -> None:
    party = Coalition(7, bad=2)
    roster = party.roster()
    for u in party.honest:
        party.show_roster(u, roster)
    for u in party.honest:
        party.show_senders(u, set(party.ids) - {u})
        assert party.show_U3(u, party.ids)
        assert not party.show_U3(u, party.ids[:5])
        assert party.clients[u].state == "Aborted"
