"""Clients that are not what they count for: strangers, one client under many faces, a small U1."""

import pytest

from secagg.errors import RemoteProtocolError
from secagg.messages import Roster
from tests.helpers.dishonest import Coalition, alone, harm
from tests.helpers.party import unsigned

VICTIM = 10


def test_ids_that_nobody_enrolled_fill_no_roster() -> None:
    party = Coalition(5, bad=2)
    strangers = tuple(unsigned(party.face(50, number), u=60 + number) for number in (1, 2))
    roster = Roster.of((*party.roster((VICTIM,)).entries, *strangers))
    assert len(roster.entries) == party.params.min_roster + 1
    with pytest.raises(RemoteProtocolError, match="61 is not in the directory"):
        party.clients[VICTIM].receive(roster)


def test_one_corrupt_client_under_many_faces_fills_no_roster() -> None:
    """Each face would get shares of its own: four faces at t = 4 would open the victim alone."""
    party = Coalition(5, bad=1, t=4, corrupt=1)
    faces = tuple(party.face(50, number) for number in range(4))
    with pytest.raises(RemoteProtocolError, match="not strictly ascending"):
        party.clients[VICTIM].receive(Roster.of((party.hello[VICTIM], *faces)))


def test_one_identity_key_cannot_be_enrolled_under_two_ids() -> None:
    """What the roster check rests on: who has one key has one id."""
    party = Coalition(5, bad=1)
    keys = {u: party.directory[u] for u in party.directory} | {60: party.directory[50]}
    with pytest.raises(Exception, match="clients 50 and 60 have the same key"):
        type(party.directory)(keys)


def test_all_corrupt_clients_and_as_few_honest_ones_as_may_be() -> None:
    """n=9, t=7, 4 corrupt: 3 honest inputs are hidden in their sum, and 2 are refused."""
    assert alone(Coalition(9, bad=4, t=7, corrupt=4), (10, 20, 30)) == [(10, 20, 30)]
    assert alone(Coalition(9, bad=4, t=7, corrupt=4), (10, 20)) == []


@pytest.mark.parametrize("min_roster", [7, 8, 9])
def test_the_roster_is_not_smaller_than_min_roster(min_roster: int) -> None:
    for honest in range(1, 6):
        party = Coalition(9, bad=4, t=7, corrupt=4, min_roster=min_roster)
        answered = party.show_roster(VICTIM, party.roster(party.honest[:honest]))
        assert answered == (honest + 4 >= min_roster)


def test_the_directory_must_not_hold_more_corrupt_clients_than_corrupt_says() -> None:
    """An assumption, not a check: the host's promise about the directory.

    7 corrupt of 12 enrolled, where `Params` was told of 2 in any roster: the victim stands alone.
    """
    party = Coalition(7, bad=7, enrolled=12, corrupt=2)
    party.corrupt = party.corrupt[:6]
    assert alone(party, (VICTIM,)) == [(VICTIM,)]
    assert harm(party) is not None
