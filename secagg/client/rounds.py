"""The client's five rounds of Figure 4, each a function of its state and what the server sent.

    (member, state, message) → (next state, reply)

    y_u = x_u + PRG(b_u) + Σ_{v ∈ N(u) ∩ U2} ±PRG(s_uv)

Every check stands before the first effect, under the step of Figure 4 that it is, or under "Not in
Fig. 4" with its reason.  Figure 4 is that of Bonawitz et al. 2017, in which all are neighbours of
each other: where it says U1 of keys and masks, here it is N(u) ∩ U1.  Which function answers which
message is in `client.Client._step`.
"""

from collections.abc import Iterator, Sequence

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from secagg import masks
from secagg.client.member import Member
from secagg.client.sealing import open_shares, seal_shares
from secagg.client.states import (
    Advertised,
    Checked,
    Created,
    Done,
    Held,
    Masked,
    SelfMaskShare,
    Shared,
    released_share,
)
from secagg.ending import end_key
from secagg.errors import RemoteProtocolError
from secagg.keys import Transcript
from secagg.masks.prg import RingVector
from secagg.masks.suites import prg_of
from secagg.messages import (
    CIPHERTEXT_BYTES,
    SIGNATURE_BYTES,
    UNSIGNED,
    AdvertiseKeys,
    Ciphertexts,
    ConsistencyCheck,
    MaskedInput,
    Roster,
    ShareKeys,
    Signatures,
    Survivors,
    Unmasking,
    record,
    records,
    strictly_ascending,
)
from secagg.packing import pack
from secagg.roster import check_own_entry
from secagg.server_sealing import seal_for_server
from secagg.sharing.shamir import encode_shares, split


def advertise_keys(member: Member, state: Created) -> tuple[Advertised, AdvertiseKeys]:
    """Round 0: two fresh key pairs, and a commitment to the self-mask seed."""
    # Fig. 4, round 0: <c_pk, c_sk>, <s_pk, s_sk>, signed.
    c_sk, s_sk, b_u = member.rand(32), member.rand(32), member.rand(32)
    private = X25519PrivateKey.from_private_bytes(c_sk)
    c_pk, s_pk = _public(private), _public(X25519PrivateKey.from_private_bytes(s_sk))
    # Not in Fig. 4: b_u is drawn now and committed to, so that its reconstruction can be checked.
    transcript, u = member.transcript, member.u
    commitment = transcript.commitment(u, b_u)
    hello = AdvertiseKeys(u, c_pk, s_pk, commitment, member.certificate, UNSIGNED)
    hello = member.signed(hello, transcript, hello.body())
    key = end_key(transcript, private, member.params.server_key, u, c_pk)
    return Advertised(state.vectors, c_sk, s_sk, b_u, hello, key), hello


def share_keys(member: Member, state: Advertised, message: Roster) -> tuple[Shared, ShareKeys]:
    """Round 1: check U1 and N(u), then deal s_sk to N(u) and b_u to N(u) ∪ {u}."""
    # Fig. 4, round 1: |U1| ≥ t, all public keys are different.
    roster = member.checks.check_all(message, member.params, member.directory)
    check_own_entry(roster, state.hello)
    transcript = member.transcript.with_roster(roster.digest)
    u, me = member.u, roster.index[member.u]
    neighbourhood = member.params.graph.row(roster.digest, len(roster), me)
    # Fig. 4, round 1: all signatures are valid; those of N(u) ∪ {u} here (decision 13). They were
    # made in round 0, when there was no roster: so under `member.transcript`.
    for i in neighbourhood.tolist():
        member.checks.check_neighbour(roster, i, member.transcript)
    # Fig. 4, round 1: t-out-of-n shares of s_sk and of b, x being the place in the roster, plus 1.
    secrets = [state.s_sk, state.b_u]
    shares = encode_shares(split(secrets, member.params.t, neighbourhood + 1, member.rand))
    c_sk = X25519PrivateKey.from_private_bytes(state.c_sk)
    channels: dict[int, bytes] = {}
    ciphertexts: list[bytes] = []
    for i, dealt in zip(neighbourhood.tolist(), shares, strict=True):
        if i == me:
            own_share = SelfMaskShare(dealt[1].tobytes())
            continue
        v = roster.ids[i]
        channels[v] = _exchange(c_sk, roster.c_pk(i))
        # Fig. 4, round 1: e_{u,v} = AE.enc(KA.agree(c_sk_u, c_pk_v), u ‖ v ‖ the two shares).
        sealed = seal_shares(transcript, channels[v], u, v, dealt.tobytes(), member.rand)
        ciphertexts.append(sealed)
    reply = ShareKeys(u, memoryview(b"".join(ciphertexts)), UNSIGNED)
    following = Shared(
        state.vectors, state.s_sk, state.b_u, roster, channels, own_share, state.end_key
    )
    # Not in Fig. 4: signed, as every message here, so that nobody answers for somebody else.
    return following, member.signed(reply, transcript, reply.body())


def mask_input(
    member: Member, state: Shared, vectors: list[RingVector], message: Ciphertexts
) -> tuple[Masked, MaskedInput]:
    """Round 2: open every ciphertext now, then mask the input: with b_u, and with each sender.

    `vectors` is the state's input, which the client gives up: it is overwritten by y_u.
    """
    _check_ciphertexts(member, state, message)
    transcript, senders = member.transcript.with_roster(state.roster.digest), message.senders
    opened = _opened(member, state, transcript, message)
    # Fig. 4, round 2: y_u = x_u + p_u + Σ p_{u,v} over U2.
    streams = _streams(member, state, transcript, senders)
    masks.add_masks(vectors, streams, prg_of(member.params.suite))
    packed = tuple(map(pack, member.params.vectors, vectors))
    # Not in Fig. 4: the server must know who can open what before it fixes U3.
    unopened = tuple(v for v in senders if opened[v] is None)
    reply = MaskedInput(member.u, packed, unopened, UNSIGNED)
    held = {v: shares for v, shares in opened.items() if shares is not None}
    absent = frozenset(state.channels.keys() - set(senders))
    following = Masked(state.roster, absent, held, state.own_share, state.end_key)
    # Not in Fig. 4: signs what was received, which the network may have changed.
    return following, member.signed(reply, transcript, reply.body(message.digest()))


def _check_ciphertexts(member: Member, state: Shared, message: Ciphertexts) -> None:
    """RemoteProtocolError unless the senders can be N(u) ∩ U2."""
    t, senders = member.params.t, message.senders
    # Fig. 4, round 2: U2 ⊆ U1, each sender once.
    if not (strictly_ascending(senders) and state.channels.keys() >= set(senders)):
        raise RemoteProtocolError(
            "the senders are not an ascending list of neighbours, expected some of those that "
            f"client {member.u} dealt shares to"
        )
    # Not in Fig. 4, which has a list of ciphertexts: here they are one field.
    if len(message.ciphertexts) != len(senders) * CIPHERTEXT_BYTES:
        raise RemoteProtocolError(
            f"{len(message.ciphertexts)} bytes of ciphertexts from {len(senders)} senders, "
            f"expected {CIPHERTEXT_BYTES} from each"
        )
    # Fig. 4, round 2: |U2| ≥ t; u's own share of b_u counts.
    if len(senders) + 1 < t:
        raise RemoteProtocolError(
            f"{len(senders)} senders and client {member.u}, expected t={t} at least"
        )


def _opened(
    member: Member, state: Shared, transcript: Transcript, message: Ciphertexts
) -> dict[int, Held | None]:
    """The shares that each sender dealt to u; None where its ciphertext does not open."""
    # Fig. 4 decrypts in round 4, and checks u ‖ v there; here now, while U3 is still open.
    sealed = records(message.ciphertexts, CIPHERTEXT_BYTES)
    return {
        v: open_shares(transcript, state.channels[v], v, member.u, ciphertext)
        for v, ciphertext in zip(message.senders, sealed, strict=True)
    }


def _streams(
    member: Member, state: Shared, transcript: Transcript, senders: Sequence[int]
) -> Iterator[tuple[bytes, int]]:
    """(seed, sign) of the self mask and of the pairwise mask with each sender."""
    u, roster = member.u, state.roster
    # Fig. 4, round 2: p_u = PRG(b_u).
    yield transcript.self_seed(state.b_u, u), 1
    s_sk = X25519PrivateKey.from_private_bytes(state.s_sk)
    for v in senders:
        # Fig. 4, round 2: p_{u,v} = ±PRG(KA.agree(s_sk_u, s_pk_v)).
        s_uv = _exchange(s_sk, roster.s_pk(roster.index[v]))
        yield transcript.pairwise_seed(s_uv, u, v), masks.sign(u, v)


def check_consistency(
    member: Member, state: Masked, message: Survivors
) -> tuple[Checked, ConsistencyCheck]:
    """Round 3: sign U3, once."""
    U3 = frozenset(message.U3)
    if not strictly_ascending(message.U3):
        raise RemoteProtocolError("U3 is not strictly ascending, expected each id once")
    # Fig. 4, round 3: |U3| ≥ t; a quorum of the whole roster, for sparse graphs.
    if len(U3) < member.params.min_survivors:
        raise RemoteProtocolError(
            f"U3 has {len(U3)} clients, expected at least {member.params.min_survivors}"
        )
    # Not in Fig. 4: a server tells U3 to its members only, so a U3 without u is a lie.
    if member.u not in U3:
        raise RemoteProtocolError(f"U3 without client {member.u}, expected one that holds it")
    # Fig. 4, round 3: U3 ⊆ U2 ⊆ U1.
    if not state.roster.index.keys() >= U3:
        raise RemoteProtocolError("U3 is not a part of the roster, expected members of it alone")
    # Fig. 4, round 3: U3 ⊆ U2, as far as u knows U2: who sent u no ciphertext is not in it.
    if state.absent & U3:
        raise RemoteProtocolError(
            f"U3 holds neighbours that sent client {member.u} no ciphertext, expected none of them"
        )
    # Fig. 4, round 3: σ' = SIG.sign(U3).
    transcript = member.transcript.with_roster(state.roster.digest)
    reply = member.signed(
        ConsistencyCheck(member.u, UNSIGNED), transcript, ConsistencyCheck.body(message.U3)
    )
    following = Checked(state.roster, message.U3, state.held, state.own_share, state.end_key)
    return following, reply


def unmask(member: Member, state: Checked, message: Signatures) -> tuple[Done, Unmasking]:
    """Round 4: if min_survivors members of U3 signed it, one share for each owner."""
    transcript = member.transcript.with_roster(state.roster.digest)
    _check_signatures(member, state, transcript, message)
    U3 = frozenset(state.U3)
    # Fig. 4, round 4: shares of s_sk for U2∖U3, of b for U3; never both of one owner.
    shares = {v: released_share(held, v in U3) for v, held in state.held.items()}
    shares[member.u] = state.own_share
    packed = b"".join(shares[v] for v in sorted(shares))
    # Not in Fig. 4: sealed to the server's key, so that who relays the frames cannot open a sum.
    sealed = seal_for_server(transcript, member.params.server_key, member.u, packed, member.rand)
    reply = Unmasking(member.u, sealed, UNSIGNED)
    return Done(state.end_key), member.signed(reply, transcript, reply.body())


def _check_signatures(
    member: Member, state: Checked, transcript: Transcript, message: Signatures
) -> None:
    """At least min_survivors signatures of this U3 by distinct members of it, as a sample shows."""
    signers, needed = message.signers, member.params.min_survivors
    # Fig. 4, round 4: U4 ⊆ U3, each signer once.
    if not strictly_ascending(signers) or not set(state.U3) >= set(signers):
        raise RemoteProtocolError(
            "the signers are not an ascending list of members of U3, expected some of them"
        )
    # Fig. 4, round 4: |U4| ≥ t; a quorum of the whole roster, so that two U3 never both have one.
    if len(signers) < needed or len(message.packed) != len(signers) * SIGNATURE_BYTES:
        raise RemoteProtocolError(
            f"{len(message.packed)} bytes of signatures by {len(signers)} signers, "
            f"expected {SIGNATURE_BYTES} by each of at least {needed}"
        )
    body = ConsistencyCheck.body(state.U3)
    # Fig. 4, round 4: every signature is valid, and of the U3 that u signed; here as many as are
    # needed or, on a sparse graph, a sample of all that nobody can foresee (decision 13).
    for j in _checked_signers(member, len(signers)):
        i = state.roster.index[signers[j]]
        signature = record(message.packed, j, SIGNATURE_BYTES)
        member.checks.check_signer(state.roster, i, transcript, body, signature)


def _checked_signers(member: Member, given: int) -> list[int]:
    """Which of so many signatures u checks: as many as are needed, or a sample, drawn afresh."""
    params = member.params
    count = params.graph.quorum_checks(given, params.min_survivors, params.n)
    order = list(range(given))
    if count < params.min_survivors:
        # Fisher–Yates, stopped after `count` places: each set is as likely, to within 2^-100.
        for place in range(count):
            other = place + int.from_bytes(member.rand(16), "little") % (given - place)
            order[place], order[other] = order[other], order[place]
    return order[:count]


def _public(secret: X25519PrivateKey) -> bytes:
    return secret.public_key().public_bytes_raw()


def _exchange(secret: X25519PrivateKey, public: bytes) -> bytes:
    return secret.exchange(X25519PublicKey.from_public_bytes(public))
