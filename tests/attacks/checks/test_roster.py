"""Each check of a roster is removed in turn, and an attack that it stops succeeds."""

from typing import Any

from secagg.messages import Roster
from tests.helpers.attacks import (
    a_stranger_far_away,
    client_takes,
    forged,
    low_order,
    man_in_the_middle,
    many_faces,
    shared,
    two_views,
)
from tests.helpers.breaks import Attacks
from tests.helpers.certificates import CA, one_key_for_all, opened_by
from tests.helpers.dishonest import Coalition, harm
from tests.helpers.party import Party, unsigned
from tests.helpers.removed import ROOMS

attacks = Attacks(*ROOMS["roster"])
breaks = attacks.breaks
EVERYBODY = "roster.RosterChecks.check_all"

# Whose keys these are.

breaks("roster.check_advertisement", "check_x25519(entry.c_pk)")(low_order("c_pk"))
breaks("roster.check_advertisement", "check_x25519(entry.s_pk)")(low_order("s_pk"))


breaks(
    "roster.check_advertisement",
    "transcript.verify(identity, entry.signature, entry.round, entry.u, entry.body())",
)(man_in_the_middle)
breaks(
    "roster.RosterChecks.check_neighbour",
    "check_advertisement(roster.entry(i), roster.identity(i), transcript)",
)(man_in_the_middle)
breaks(EVERYBODY, "check_distinct_keys(message)")(client_takes("roster: one key as c_pk and s_pk"))
breaks("roster.check_distinct_keys", "second is not None")(
    client_takes("roster: the victim's s_pk advertised again")
)
sybils_open = opened_by(one_key_for_all)
breaks(EVERYBODY, "check_distinct_identities(message, directory)")(sybils_open)
breaks("roster.check_distinct_identities", "second is not None")(sybils_open)

# Who is in it.

breaks(EVERYBODY, "not strictly_ascending(ids)")(many_faces)
breaks(EVERYBODY, "directory.check_holds(ids)")(a_stranger_far_away)


@breaks(EVERYBODY, "ids[0] < 0")
def an_id_beyond_the_signed_ones() -> bool:
    """It is read as a negative number, which is no id: the client dies of it."""
    party = Party(5, ca=CA).after(0)
    roster: Any = party.outbox[10]
    far = unsigned(roster.entry(4), u=2**63)
    party.clients[10].receive(Roster.of((far, *roster.entries[:4])))
    return True


@breaks(EVERYBODY, "not params.min_roster <= len(message)")
def a_small_roster() -> bool:
    """4 corrupt of 6: the victim deals its shares."""
    party = Coalition(9, bad=4, t=7, corrupt=4)
    return party.show_roster(10, party.roster((10, 20)))


@breaks(EVERYBODY, "not len(message) <= params.n")
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


breaks("roster.check_own_entry", "own.u not in roster.index")(
    client_takes("roster: without the victim")
)
breaks("roster.check_own_entry", "roster.entry(roster.index[own.u]) != own")(
    client_takes("roster: the victim's keys changed")
)

# Columns that do not fit each other.


@breaks(EVERYBODY, "check_columns(message)")
@breaks("roster.check_columns", "seen != (m * ID_BYTES, m * KEYS_BYTES, m * SIGNATURE_BYTES)")
def half_a_key() -> bool:
    """The client dies of numpy's error."""
    party = Party(5).after(0)
    roster: Any = party.outbox[10]
    party.clients[10].receive(unsigned(roster, keys=roster.keys[:-16]))
    return True


@breaks("roster.check_columns", "certificates not in (0, m * CERTIFICATE_BYTES)")
def half_a_certificate() -> bool:
    party = Party(5, ca=CA).after(0)
    roster: Any = party.outbox[10]
    party.clients[10].receive(unsigned(roster, certificates=roster.certificates[:-48]))
    return True


# Who signed U3.


breaks(
    "roster.RosterChecks.check_signer",
    "transcript.verify(roster.identity(i), signature, round, u, body)",
)(two_views(forged))

test_every_check_has_its_attack, test_an_attack_needs_its_check_gone = attacks.tests()
