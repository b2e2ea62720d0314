"""Each check of a roster is removed in turn, and an attack that it stops succeeds."""

from secagg.messages import Roster
from tests.helpers.attacks import client_takes, forged, low_order, many_faces, shared, two_views
from tests.helpers.breaks import Attacks
from tests.helpers.certificates import one_key_for_all, opened_by
from tests.helpers.dishonest import Coalition, harm
from tests.helpers.party import unsigned
from tests.helpers.removed import ROOMS

attacks = Attacks(*ROOMS["roster"])
breaks = attacks.breaks

# Whose keys these are.

breaks("roster.check_advertisement", "check_x25519(entry.c_pk)")(low_order("c_pk"))
breaks("roster.check_advertisement", "check_x25519(entry.s_pk)")(low_order("s_pk"))


@breaks(
    "roster.check_advertisement",
    "transcript.verify(identity, entry.signature, entry.round, entry.u, entry.body())",
)
def man_in_the_middle() -> bool:
    """Everybody else's keys are the server's own: it holds all shares, and knows all masks."""
    party = Coalition(7, bad=2)
    fakes = [unsigned(party.face(u), signature=bytes(64)) for u in party.ids if u != 10]
    if party.show_roster(10, Roster((party.hello[10], *fakes))):
        party.show_senders(10, party.ids[1:])
    return party.both_opened() == (10,) and party.learned()[0].clients == (10,)


breaks("roster.SignatureChecks.roster", "check_distinct_keys(entries)")(
    client_takes("roster: one key as c_pk and s_pk")
)
breaks("roster.check_distinct_keys", "key in seen")(
    client_takes("roster: the victim's s_pk advertised again")
)
sybils_open = opened_by(one_key_for_all)
breaks("roster.SignatureChecks.roster", "check_distinct_identities(entries, keys)")(sybils_open)
breaks("roster.check_distinct_identities", "(v := owners.setdefault(key, entry.u)) != entry.u")(
    sybils_open
)

# Who is in it.


breaks("roster.check_roster", "not strictly_ascending(ids)")(many_faces)


@breaks("roster.check_roster", "not params.min_roster <= len(ids)")
def a_small_roster() -> bool:
    """4 corrupt of 6: the victim deals its shares."""
    party = Coalition(9, bad=4, t=7, corrupt=4)
    return party.show_roster(10, party.roster((10, 20)))


@breaks("roster.check_roster", "not len(ids) <= params.n")
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


breaks("roster.check_roster", "own not in message.entries")(
    client_takes("roster: the victim's keys changed")
)

# Who signed U3.


breaks(
    "roster.SignatureChecks.quorum",
    "transcript.verify(key, signature, ConsistencyCheck.round, v, body)",
)(two_views(forged))

test_every_check_has_its_attack, test_an_attack_needs_its_check_gone = attacks.tests()
