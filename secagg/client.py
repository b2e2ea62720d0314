"""A client of one session: one state type and one method per round of Figure 4.

    y_u = x_u + PRG(b_u) + Σ_{v ∈ N(u) ∩ U2} ±PRG(s_uv)

Guarantee: whatever the server sends, this client answers each round once, releases for each owner
a share of b_v or a share of s_sk_v but never both, and only for the one U3 that min_survivors
members of the roster signed.  Anything illegal leaves it `Aborted` for good.  A client's garbage,
relayed by the server, never does.

Sans-I/O: who drives it owns sockets, clocks and retries.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from secrets import token_bytes

import msgspec
import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from secagg import masks, wire
from secagg.directory import Directory, as_directory
from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.keys import Buffer, commitment, id_bytes, sign
from secagg.messages import (
    CIPHERTEXT_BYTES,
    NONCE_BYTES,
    UNSIGNED,
    AdvertiseKeys,
    AnyMessage,
    Ciphertexts,
    ClientMessage,
    ConsistencyCheck,
    MaskedInput,
    Roster,
    ShareKeys,
    Signatures,
    Survivors,
    Unmasking,
    records,
    strictly_ascending,
)
from secagg.packing import RingVector, pack
from secagg.params import Params, VectorSpec
from secagg.roster import check_quorum, check_roster
from secagg.shamir import SHARE_BYTES, Rand, decode_shares, encode_shares, split
from secagg.states import (
    Aborted,
    Advertised,
    Checked,
    Created,
    Done,
    Held,
    Masked,
    MaskKeyShare,
    SelfMaskShare,
    Shared,
    State,
    released_share,
)


class Client:
    """One client, one session, one input.

    Args:
        u: this client's id in the directory, 0 <= u < 2^63.
        params: the session's parameters, from this host's own configuration.
        vectors: the input, by vector name; or one array where the session has one vector. Shape
            (length,) and dtype `spec.dtype`; only the low `spec.bits` bits count. It is copied.
        signing_key: the Ed25519 identity key whose public half the directory holds for u.
        directory: id → raw Ed25519 public key, the same for all parties.
        rand: returns that many uniform random bytes.

    Raises:
        LocalProtocolError: for an input or a key that does not fit.
    """

    def __init__(
        self,
        u: int,
        params: Params,
        vectors: RingVector | Mapping[str, RingVector],
        *,
        signing_key: Ed25519PrivateKey,
        directory: Directory | Mapping[int, bytes],
        rand: Rand = token_bytes,
    ) -> None:
        self.u = u
        self._params = params
        self._directory = as_directory(directory)
        if u not in self._directory:
            raise LocalProtocolError(f"client {u} is not in the directory")
        if signing_key.public_key().public_bytes_raw() != self._directory[u]:
            raise LocalProtocolError(f"the signing key is not the one the directory has for {u}")
        self._signing_key = signing_key
        self._rand = rand
        self._params_digest = params.digest(self._directory.digest)
        self._state: State = Created(_with_tallies(params.vectors, vectors))

    @property
    def state(self) -> str:
        """Created, Advertised, Shared, Masked, Checked, Done or Aborted."""
        return type(self._state).__name__

    def start(self) -> AdvertiseKeys:
        """Round 0, AdvertiseKeys. LocalProtocolError if the session has already begun."""
        if not isinstance(self._state, Created):
            raise LocalProtocolError(f"start() is for a Created client; this one is {self.state}")
        c_sk, s_sk, b_u = self._rand(32), self._rand(32), self._rand(32)
        hello = AdvertiseKeys(
            self.u,
            _public(c_sk),
            _public(s_sk),
            commitment(self._params_digest, self.u, b_u),
            UNSIGNED,
        )
        hello = msgspec.structs.replace(hello, signature=self._sign(0, b"", hello.body()))
        self._state = Advertised(self._state.vectors, c_sk, s_sk, b_u, hello)
        return hello

    def receive(self, message: AnyMessage | Buffer) -> ClientMessage:
        """The reply to one server message: a message in, or its bytes, and a message out.

        Raises:
            RemoteProtocolError: for anything that is not allowed now; the client is Aborted.
            LocalProtocolError: if the session is over, or was not begun.
        """
        if isinstance(self._state, Created | Done | Aborted):
            raise LocalProtocolError(f"no message can be received by a client that is {self.state}")
        # An exception anywhere below must find the client Aborted: it is the state until the end.
        state, self._state = self._state, Aborted()
        if isinstance(message, Buffer):
            message = wire.decode(message)
        self._state, reply = self._step(state, message)
        return reply

    def _step(self, state: State, message: AnyMessage) -> tuple[State, ClientMessage]:
        """The transition table: every pair that is not here is illegal."""
        match state, message:
            case Advertised(), Roster():
                return self._share_keys(state, message)
            case Shared(), Ciphertexts():
                return self._masked_input(state, message)
            case Masked(), Survivors():
                return self._consistency_check(state, message)
            case Checked(), Signatures():
                return self._unmasking(state, message)
        seen, expected = type(message).__name__, type(state).__name__
        raise RemoteProtocolError(f"a {seen} is not for a client that is {expected}")

    def _share_keys(self, state: Advertised, message: Roster) -> tuple[Shared, ShareKeys]:
        """Round 1: check all of U1, then deal s_sk to N(u) and b_u to N(u) ∪ {u}."""
        params, u = self._params, self.u
        roster = check_roster(message, state.hello, params, self._params_digest, self._directory)
        binding, me = roster.binding(self._params_digest), roster.index[u]
        row = params.graph.row(roster.digest, len(roster.ids), me)
        shares = encode_shares(split([state.s_sk, state.b_u], params.t, row + 1, self._rand))
        c_sk = X25519PrivateKey.from_private_bytes(state.c_sk)
        channels: dict[int, bytes] = {}
        ciphertexts: list[bytes] = []
        for i, dealt in zip(row.tolist(), shares, strict=True):
            if i == me:
                own_share = SelfMaskShare(dealt[1].tobytes())
                continue
            v = roster.ids[i]
            channels[v] = _exchange(c_sk, roster.entries[i].c_pk)
            nonce = self._rand(NONCE_BYTES)
            plaintext = id_bytes(u) + id_bytes(v) + dealt.tobytes()
            sealed = binding.aead(channels[v], u, v)
            ciphertexts += [nonce, sealed.encrypt(nonce, plaintext, binding.associated_data(u, v))]
        reply = ShareKeys(u, memoryview(b"".join(ciphertexts)), UNSIGNED)
        signature = self._sign(1, roster.digest, reply.body())
        return (
            Shared(state.vectors, state.s_sk, state.b_u, roster, channels, own_share),
            msgspec.structs.replace(reply, signature=signature),
        )

    def _masked_input(self, state: Shared, message: Ciphertexts) -> tuple[Masked, MaskedInput]:
        """Round 2: open every ciphertext now, then mask the input in place with all of U2."""
        u, t, senders = self.u, self._params.t, message.senders
        if not (strictly_ascending(senders) and state.channels.keys() >= set(senders)):
            raise RemoteProtocolError("the senders are not an ascending list of neighbours")
        if len(message.ciphertexts) != len(senders) * CIPHERTEXT_BYTES:
            raise RemoteProtocolError(
                f"{len(message.ciphertexts)} bytes of ciphertexts from {len(senders)} senders, "
                f"expected {CIPHERTEXT_BYTES} from each"
            )
        if len(senders) + 1 < t:
            raise RemoteProtocolError(f"{len(senders)} senders and client {u} are fewer than t={t}")
        ciphertexts = records(message.ciphertexts, CIPHERTEXT_BYTES)
        opened = {v: self._open(state, v, c) for v, c in zip(senders, ciphertexts, strict=True)}
        masks.add_masks(state.vectors, self._streams(state, senders))
        reply = MaskedInput(
            u,
            tuple(map(pack, self._params.vectors, state.vectors)),
            tuple(v for v in senders if opened[v] is None),
            UNSIGNED,
        )
        signature = self._sign(2, state.roster.digest, reply.body())
        held = {v: shares for v, shares in opened.items() if shares is not None}
        missing = state.channels.keys() - set(senders)
        return (
            Masked(state.roster, frozenset(missing), held, state.own_share),
            msgspec.structs.replace(reply, signature=signature),
        )

    def _open(self, state: Shared, v: int, ciphertext: bytes) -> Held | None:
        """What v dealt to u, or None: v's garbage costs v a holder, not u the session."""
        binding = state.roster.binding(self._params_digest)
        nonce, sealed = ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:]
        aead = binding.aead(state.channels[v], v, self.u)
        try:
            plaintext = aead.decrypt(nonce, sealed, binding.associated_data(v, self.u))
            if plaintext[:16] != id_bytes(v) + id_bytes(self.u):
                return None
            decode_shares(plaintext[16:])
        except (InvalidTag, RemoteProtocolError):
            return None
        s_share, b_share = plaintext[16 : 16 + SHARE_BYTES], plaintext[16 + SHARE_BYTES :]
        return Held(MaskKeyShare(s_share), SelfMaskShare(b_share))

    def _streams(self, state: Shared, senders: Sequence[int]) -> "chain[tuple[bytes, int]]":
        """(seed, sign) of the self mask and of the pairwise mask with each sender."""
        binding, roster = state.roster.binding(self._params_digest), state.roster
        s_sk = X25519PrivateKey.from_private_bytes(state.s_sk)
        shared = ((v, _exchange(s_sk, roster.entries[roster.index[v]].s_pk)) for v in senders)
        return chain(
            [(binding.self_seed(state.b_u, self.u), 1)],
            ((binding.pairwise_seed(s_uv, self.u, v), masks.sign(self.u, v)) for v, s_uv in shared),
        )

    def _consistency_check(
        self, state: Masked, message: Survivors
    ) -> tuple[Checked, ConsistencyCheck]:
        """Round 3: sign U3, once."""
        U3 = frozenset(message.U3)
        if not strictly_ascending(message.U3):
            raise RemoteProtocolError("U3 is not strictly ascending")
        if len(U3) < self._params.min_survivors:
            raise RemoteProtocolError(
                f"U3 has {len(U3)} clients, expected at least {self._params.min_survivors}"
            )
        if self.u not in U3 or not state.roster.index.keys() >= U3:
            raise RemoteProtocolError(f"U3 is not a part of the roster that holds client {self.u}")
        if state.absent & U3:
            raise RemoteProtocolError(
                f"U3 holds neighbours that sent client {self.u} no ciphertext"
            )
        body = ConsistencyCheck.body(message.U3)
        reply = ConsistencyCheck(self.u, self._sign(3, state.roster.digest, body))
        return Checked(state.roster, message.U3, state.held, state.own_share), reply

    def _unmasking(self, state: Checked, message: Signatures) -> tuple[Done, Unmasking]:
        """Round 4: if min_survivors members of U3 signed it, one share for each owner."""
        self._check_signatures(state, message)
        U3 = frozenset(state.U3)
        shares = {v: released_share(held, v in U3) for v, held in state.held.items()}
        shares[self.u] = state.own_share
        packed = b"".join(shares[v] for v in sorted(shares))
        reply = Unmasking(self.u, memoryview(packed), UNSIGNED)
        signature = self._sign(4, state.roster.digest, reply.body())
        return Done(), msgspec.structs.replace(reply, signature=signature)

    def _check_signatures(self, state: Checked, message: Signatures) -> None:
        """min_survivors signatures of this U3 by distinct members of U3, of the whole roster."""
        signers, needed, roster = message.signers, self._params.min_survivors, state.roster
        if not strictly_ascending(signers) or not set(state.U3) >= set(signers):
            raise RemoteProtocolError("the signers are not an ascending list of members of U3")
        if len(signers) < needed or len(message.signatures) != len(signers):
            raise RemoteProtocolError(
                f"{len(message.signatures)} signatures by {len(signers)} signers, "
                f"expected one by each of at least {needed}"
            )
        check_quorum(roster, self._params_digest, state.U3, signers, message.signatures)

    def _sign(self, round: int, roster_digest: bytes, body: bytes) -> bytes:
        return sign(self._signing_key, round, self._params_digest, roster_digest, self.u, body)


def _with_tallies(
    specs: Sequence[VectorSpec], vectors: RingVector | Mapping[str, RingVector]
) -> list[RingVector]:
    """A copy of each input vector, the hidden tally word 1 behind it."""
    if isinstance(vectors, np.ndarray):
        vectors = {specs[0].name: vectors}
    names = [spec.name for spec in specs]
    if set(vectors) != set(names):
        raise LocalProtocolError(f"input vectors {sorted(vectors)}, expected {sorted(names)}")
    return [_with_tally(spec, vectors[spec.name]) for spec in specs]


def _with_tally(spec: VectorSpec, vector: RingVector) -> RingVector:
    if not isinstance(vector, np.ndarray):
        seen = type(vector).__name__
    else:
        seen = f"{vector.dtype}{list(vector.shape)}"
    if seen != f"{spec.dtype}[{spec.length}]":
        raise LocalProtocolError(
            f"vector {spec.name!r} is {seen}, expected {spec.dtype}[{spec.length}]"
        )
    words = np.empty(spec.length + 1, spec.dtype)
    words[:-1], words[-1] = vector, 1
    return words


def _public(secret: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def _exchange(secret: X25519PrivateKey, public: bytes) -> bytes:
    return secret.exchange(X25519PublicKey.from_public_bytes(public))
