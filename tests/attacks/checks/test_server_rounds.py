"""Each check in the server's rounds is removed in turn, and an attack that it stops succeeds."""

from typing import Any

import numpy as np

from secagg.errors import SecAggError, TooFewClients
from secagg.keys import Transcript
from secagg.messages import UNSIGNED, ConsistencyCheck, MaskedInput, Unmasking
from secagg.server_sealing import seal_for_server
from tests.helpers.attacks import (
    advertises,
    dealt,
    ends_wrong,
    says,
    server_takes,
    sparse,
    too_few_neighbours,
)
from tests.helpers.breaks import Attack, Attacks
from tests.helpers.certificates import one_key_under_two_ids
from tests.helpers.lying_client import LIAR
from tests.helpers.party import SERVER_PUBLIC, SPECS, Party
from tests.helpers.removed import ROOMS
from tests.helpers.steady import Stream

attacks = Attacks(*ROOMS["server_rounds"])
breaks = attacks.breaks


def goes_on(round: int, *, silent: int = 2, **params: Any) -> Attack:
    """The server closes a round that too few have answered, and asks the others to go on."""

    def attack() -> bool:
        party = Party(5, **params).after(round - 1)
        party.collect(but=party.ids[:silent])
        party.close()
        return True

    return attack


breaks("server.session.Session.at_least", "seen < needed")(goes_on(3))

# Whose messages these are.

not_signed = server_takes("a vector that is not signed", and_breaks=True)
breaks(
    "server.session.Rostered.verify",
    "self.transcript.verify(key, message.signature, message.round, message.u, body)",
)(not_signed)
breaks("server.session.Rostered.signed", "self.verify(message, body)")(not_signed)

# Round 0.


@breaks("server.rounds.Advertising.receive", "len(self.answered) == n")
def one_too_many() -> bool:
    """The honest clients refuse a roster of six."""
    party = Party(5, outsiders=1)
    party.inputs[60] = party.inputs[50]
    party.collect()
    party.server.receive(60, party.client(60).start())
    party.close()
    party.outbox.pop(60)
    return ends_wrong(party)


breaks(
    "server.rounds.Advertising.receive",
    "check_advertisement(message, identity, session.transcript)",
)(server_takes("a key that is not signed", and_breaks=True))
breaks("server.rounds.Advertising.receive", "len(new) < 2")(
    server_takes("one key for both uses", and_breaks=True)
)
breaks("server.rounds.Advertising.receive", "new & self.public_keys")(
    server_takes("a key of somebody else", and_breaks=True)
)


@breaks("server.rounds.Advertising.receive", "key in self.identity_keys")
def one_key_twice() -> bool:
    return ends_wrong(one_key_under_two_ids())


breaks(
    "server.rounds.Advertising.close",
    "self.session.at_least(needed, len(self.answered), 'advertised keys')",
)(goes_on(0))

# Round 1.

breaks("server.rounds.Sharing.receive", "len(packed) != len(receivers) * CIPHERTEXT_BYTES")(
    server_takes("a ciphertext missing")
)
breaks("server.rounds.Sharing.receive", "self.rostered.signed(message, message.body())")(
    server_takes("ciphertexts that are not signed")
)
breaks(
    "server.rounds.Sharing.close",
    "session.at_least(params.min_survivors, len(self.answered), 'shared keys')",
)(says("3 clients shared keys", goes_on(1)))


@breaks(
    "server.rounds.Sharing.close",
    "session.at_least(params.min_survivors, len(U2), f'have {params.t} holders')",
)
def too_few_have_holders() -> bool:
    party = sparse().after(0)
    party.collect(but=too_few_neighbours(party))
    party.close()
    return True


# Round 2.


@breaks("server.rounds.Collecting.receive", "not self.relayed.in_U2[i]")
def not_in_U2() -> bool:
    """Who dealt no share sends a vector: nobody can open its mask."""
    party = Party(5).after(1, absent={LIAR: 1})
    party.collect()
    lie = MaskedInput(LIAR, (memoryview(bytes(SPECS[0].packed_bytes)),), (), UNSIGNED)
    party.server.receive(LIAR, party.signed(lie))
    try:
        party.close()
    except SecAggError:
        return True
    return ends_wrong(party)


breaks(
    "server.rounds.Collecting.receive",
    "self.rostered.signed(message, message.body(self.relayed.sent[message.u]))",
)(not_signed)
breaks("server.rounds.Collecting._unpacked", "len(message.vectors) != len(specs)")(
    server_takes("a vector too many", and_breaks=True)
)
breaks("server.rounds.Collecting._columns_of", "not strictly_ascending(unopened)")(
    server_takes("a complaint twice")
)
breaks("server.rounds.Collecting._columns_of", "not set(senders) >= set(unopened)")(
    server_takes("a complaint about a stranger")
)
breaks(
    "server.rounds.Collecting.close",
    "session.at_least(needed, len(self.answered), 'sent a masked input')",
)(goes_on(2, t=3, corrupt=0, min_survivors=4))


@breaks(
    "server.session.Owners.check_holders",
    "session.at_least(t, int(counts[i]), f'are left that hold a share of client {u}', about)",
)
@breaks("server.rounds.Collecting.close", "owners.check_holders(rostered, holders, present)")
def unopenable_to_all_but_one() -> bool:
    """b of LIAR has two holders; the honest would sign, and open a sum that cannot come out."""
    party = dealt(lambda plaintext: bytes(84), [10, 20, 30])
    party.close()
    return True


# Round 3.


def bad_signature(u: int, *, absent: bool) -> Attack:
    """A server that forwards it makes every honest client abort."""

    def attack() -> bool:
        party = Party(5).after(2, absent={u: 2} if absent else {})
        party.collect(but=[u])
        digest = party.params.digest(party.directory.digest)
        U3: Any = party.outbox[20]
        body = ConsistencyCheck.body(U3.U3)
        signature = Transcript(digest, party.roster_digest()).sign(party.keys[u], 3, u, body)
        lie = ConsistencyCheck(u, signature if absent else bytes(64))
        party.server.receive(u, lie)
        party.close()
        return ends_wrong(party)

    return attack


breaks(
    "server.rounds.Checking.receive",
    "not self.collected.owners.in_U3[self.rostered.roster.index[message.u]]",
)(bad_signature(10, absent=True))
breaks("server.rounds.Checking.receive", "self.rostered.verify(message, self.body)")(
    bad_signature(10, absent=False)
)
breaks("server.rounds.Checking.close", "session.at_least(needed, len(self.answered), 'signed U3')")(
    goes_on(3)
)

# Round 4, and the sum.


@breaks("server.opening.Opening.receive", "message.u not in self.U4")
def not_in_U4() -> bool:
    """Shares of somebody who never signed U3."""
    party = Party(5).after(3, absent={LIAR: 3})
    sealed = seal_for_server(party.binding, SERVER_PUBLIC, LIAR, bytes(170), Stream("U4"))
    party.server.receive(LIAR, party.signed(Unmasking(LIAR, sealed, UNSIGNED)))
    return True


breaks("server.opening.Opening.receive", "len(message.sealed) != expected")(
    server_takes("a share missing")
)
breaks("server.opening.Opening.receive", "self.rostered.signed(message, message.body())")(
    server_takes("shares that are not signed")
)


@breaks(
    "server.opening.Opening.close",
    "owners.check_holders(rostered, received, received)",
)
def nobody_is_named() -> bool:
    """Three of five answer in round 4: too few, says the server, and blames no dealer."""
    party = Party(5).after(3)
    party.collect(but=[10, 20])
    try:
        party.close()
    except TooFewClients:
        return False
    except SecAggError:
        return True
    return True


@breaks("server.recovery.ShareTable._correct", "found is None")
def another_commitment() -> bool:
    advertises(lambda p, hello: p.signed(hello, commitment=bytes(32))).finish()
    return True


@breaks("server.opening.Opening._aggregate", "tally != expected")
def masks_that_do_not_cancel() -> bool:
    """A faulty client has left a mask out."""
    party = Party(5).after(1)
    party.collect(but=[LIAR])
    truth = party.answer(LIAR)
    words = np.frombuffer(truth.vectors[0], "<u2") + np.uint16(12345)
    party.server.receive(LIAR, party.signed(truth, vectors=(words.data.cast("B"),)))
    party.close()
    return party.finish().sum.tolist() != party.expected(tuple(party.ids))


test_every_check_has_its_attack, test_an_attack_needs_its_check_gone = attacks.tests()
