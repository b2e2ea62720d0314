"""What a host loses that takes an old snapshot for the newest: an input, its own or a neighbour's.

Each attack is played twice. A host that keeps its generation refuses the old blob, and that ends
it; a host that believes whatever stands in the blob loses exactly what the story says.
"""

from copy import copy

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

import secagg
from secagg import masks
from secagg.errors import LocalProtocolError
from secagg.keys import Transcript
from secagg.masks.prg import RingVector
from secagg.messages import Ciphertexts, MaskedInput, Signatures, Survivors, Unmasking, records
from secagg.packing import unpack
from secagg.roster import CheckedRoster
from secagg.server.recovery import recover_mask_keys, recover_self_seeds
from secagg.sharing.shamir import SHARE_BYTES, combine, decode_shares
from tests.helpers.hosts import Host, RollbackHost
from tests.helpers.party import SERVER_KEY, SPECS, Party, shares_in

VICTIM = 10
ADVERTISED, SHARED, MASKED, CHECKED = 1, 2, 3, 4  # the generation of each state's blob


def words_of(reply: MaskedInput) -> RingVector:
    """The masked vector and its tally word."""
    return unpack(SPECS[0], SPECS[0].length + 1, reply.vectors[0]).copy()


def unmasked(
    party: Party, reply: MaskedInput, roster: CheckedRoster, b_u: bytes, s_sk: bytes
) -> list[int]:
    """A client's input, from its masked input and both of its secrets."""
    words, u = words_of(reply), reply.u
    binding = Transcript(party.params.digest(party.directory.digest), roster.digest)
    key = X25519PrivateKey.from_private_bytes(s_sk)
    streams = [(binding.self_seed(b_u, u), -1)]
    for entry in roster.columns.entries:
        if entry.u != u:
            shared = key.exchange(X25519PublicKey.from_public_bytes(entry.s_pk))
            seed = binding.pairwise_seed(shared, u, entry.u)
            streams.append((seed, -masks.sign(u, entry.u)))
    masks.add_masks([words], streams)
    return [int(word) for word in words[:-1]]


def two_rosters_for_one_seed(kind: type[Host]) -> None:
    """Rolled back before round 1, alone: one honest session opens b_u, another opens s_sk_u."""
    party = Party(5, outsiders=4)
    party.inputs |= {u: np.zeros(3, "<u2") for u in (60, 70, 80, 90)}
    party.clients |= {u: party.client(u) for u in (60, 70, 80, 90)}
    host = kind(party, VICTIM)
    party.clients[VICTIM] = host.client
    party.after(1)
    party.collect()
    masked = party.replies[VICTIM]
    party.close()
    party.after(3)
    party.collect()
    opening = party.server._round
    roster, t = opening.rostered.roster, party.params.t
    b = recover_self_seeds(opening.table, opening.collected.owners.of_b, t, roster, party.binding)

    other = secagg.Server(party.params, directory=party.directory, private_key=SERVER_KEY)
    other.receive(VICTIM, roster.entry(roster.index[VICTIM]))
    for u in (60, 70, 80, 90):
        other.receive(u, party.clients[u].start())
    party.clients[VICTIM] = host.restored(ADVERTISED)
    party.server, party.outbox = other, other.close_round()
    party.round = 0
    party.after(3, absent={VICTIM: 2})
    party.collect()
    opening = party.server._round
    later = opening.rostered.roster
    s_sk = recover_mask_keys(opening.table, opening.collected.owners.of_s_sk, t, later)

    assert isinstance(masked, MaskedInput)
    stolen = unmasked(party, masked, roster, b[roster.index[VICTIM]], s_sk[later.index[VICTIM]])
    assert stolen == party.inputs[VICTIM].tolist()


def one_input_under_many_masks(kind: type[Host]) -> None:
    """Rolled back before round 2, alone: each difference of two answers is one pairwise mask."""
    party = Party(5)
    host = kind(party, VICTIM)
    party.clients[VICTIM] = host.client
    party.after(1)
    party.collect()
    honest, message = party.replies[VICTIM], party.outbox[VICTIM]
    assert isinstance(honest, MaskedInput)
    assert isinstance(message, Ciphertexts)
    sealed = records(message.ciphertexts, len(message.ciphertexts) // 4)
    y = words_of(honest)
    only_self_masked = y.copy()
    for left_out in range(4):
        senders = tuple(v for i, v in enumerate(message.senders) if i != left_out)
        rest = b"".join(c for i, c in enumerate(sealed) if i != left_out)
        again = host.restored(SHARED).receive(Ciphertexts(senders, memoryview(rest)))
        assert isinstance(again, MaskedInput)
        only_self_masked -= y - words_of(again)

    party.close()
    party.after(3)
    party.collect()
    opening = party.server._round
    roster, t = opening.rostered.roster, party.params.t
    b = recover_self_seeds(opening.table, opening.collected.owners.of_b, t, roster, party.binding)
    seed = party.binding.self_seed(b[roster.index[VICTIM]], VICTIM)
    masks.add_masks([only_self_masked], [(seed, -1)])
    assert only_self_masked[:-1].tolist() == party.inputs[VICTIM].tolist()


def two_survivor_lists(kind: type[Host]) -> None:
    """Rolled back before round 3, one host, and two corrupt clients: a *neighbour* is opened.

    t = min_survivors = 4 of 5. In one view 10, 20, 40, 50 survive and release shares of b_10; in
    the other 20, 30, 40, 50 do, and release shares of s_sk_10. 40 and 50 are corrupt and answer
    both; of the honest ones 20 alone answers twice, and it is 10 that loses its input.
    """
    party = Party(5)
    host = kind(party, 20)
    party.clients[20] = host.client
    party.after(1)
    party.collect()
    masked = party.replies[VICTIM]
    party.close()
    roster = party.server._round.rostered.roster

    with_victim = {u: copy(party.clients[u]) for u in (10, 20, 40, 50)}
    b = opened(with_victim, Survivors((10, 20, 30, 40, 50)), party.binding)
    without_victim = {u: copy(party.clients[u]) for u in (30, 40, 50)}
    without_victim[20] = host.restored(MASKED)
    others = dict(sorted(without_victim.items()))
    s_sk = opened(others, Survivors((20, 30, 40, 50)), party.binding)

    assert isinstance(masked, MaskedInput)
    assert unmasked(party, masked, roster, b, s_sk) == party.inputs[VICTIM].tolist()


def opened(clients: dict[int, secagg.Client], survivors: Survivors, binding: Transcript) -> bytes:
    """What the shares that four of the ids 10, 20, ... release of client 10 combine to."""
    signed = [client.receive(survivors).signature for client in clients.values()]
    message = Signatures.of(tuple(clients), tuple(signed))
    released = []
    for client in clients.values():
        reply = client.receive(message)
        assert isinstance(reply, Unmasking)
        released.append(records(shares_in(reply, binding), SHARE_BYTES)[0])
    xs = np.array([u // 10 for u in clients])
    return combine(xs, decode_shares(b"".join(released))[:, None])[0]


ATTACKS = [two_rosters_for_one_seed, one_input_under_many_masks, two_survivor_lists]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_host_that_keeps_no_generation_loses_an_input(attack) -> None:
    attack(RollbackHost)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_host_that_keeps_its_generation_refuses_the_old_snapshot(attack) -> None:
    with pytest.raises(LocalProtocolError, match=r"is of generation \d, expected the host's"):
        attack(Host)


def test_a_host_rolled_back_after_round_4_could_open_the_other_share() -> None:
    """Before round 4 is before round 3 too: from `Masked` it signs another U3 and releases more."""
    party = Party(5)
    host = Host(party, 20)
    party.clients[20] = host.client
    party.after(3)
    party.collect()
    for generation in (MASKED, CHECKED):
        with pytest.raises(LocalProtocolError, match="expected the host's, 5"):
            host.restored(generation)


def test_the_blob_of_round_3_alone_releases_what_was_released() -> None:
    """Rolled back by round 4 only, a client is bound to the U3 that it signed: nothing is lost."""
    party = Party(5)
    host = RollbackHost(party, 20)
    party.clients[20] = host.client
    party.after(3)
    party.collect()
    again = host.restored(CHECKED).receive(party.outbox[20])
    before = party.replies[20]
    assert isinstance(again, Unmasking)
    assert isinstance(before, Unmasking)
    assert shares_in(again, party.binding) == shares_in(before, party.binding)
