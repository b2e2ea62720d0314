"""A client of one session: one state type and one method per round of Figure 4.

    y_u = x_u + PRG(b_u) + Σ_{v ∈ N(u) ∩ U2} ±PRG(s_uv)

Guarantee: whatever the server sends, this client answers each round once, releases for each owner
a share of b_v or a share of s_sk_v but never both, and only for the one U3 that min_survivors
members of the roster signed.  Anything illegal leaves it `Aborted` for good.  A client's garbage,
relayed by the server, never does.

Sans-I/O: who drives it owns sockets, clocks and retries, and calls it from one thread at a time.
"""

import logging
from collections.abc import Mapping, Sequence
from itertools import chain
from secrets import token_bytes
from typing import Self

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from secagg import masks, wire
from secagg.client.inputs import with_tallies
from secagg.client.sealing import open_shares, seal_shares
from secagg.client.snapshot import START, NoSnapshots, Snapshots, SnapshotStore
from secagg.client.states import (
    Aborted,
    Advertised,
    Checked,
    Created,
    Done,
    Ended,
    Masked,
    Running,
    SelfMaskShare,
    Shared,
    State,
    released_share,
)
from secagg.ending import check_end, end_key
from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.identity.directory import Directory, as_directory, check_id
from secagg.keys import Buffer, commitment, sign
from secagg.masks.prg import RingVector
from secagg.masks.suites import prg_of
from secagg.messages import (
    CIPHERTEXT_BYTES,
    UNSIGNED,
    AdvertiseKeys,
    AnyMessage,
    Ciphertexts,
    ClientMessage,
    ConsistencyCheck,
    MaskedInput,
    Roster,
    SessionEnd,
    ShareKeys,
    Signatures,
    Survivors,
    Unmasking,
    records,
    strictly_ascending,
)
from secagg.packing import pack
from secagg.params import Params
from secagg.roster import check_quorum, check_roster
from secagg.server_sealing import seal_for_server
from secagg.sharing.shamir import Rand, encode_shares, split

_log = logging.getLogger(__name__)


class Client:
    """One client, one session, one input.

    It logs its states, and why it aborted, under the name `secagg.client`.

    Args:
        u: this client's id in the directory, 0 <= u < 2^63.
        params: the session's parameters, from this host's own configuration.
        vectors: the input, by vector name; or one array where the session has one vector. Shape
            (length,) and dtype `spec.dtype`; only the low `spec.bits` bits count. It is copied.
        signing_key: the Ed25519 identity key whose public half is u's by the directory.
        directory: id → raw Ed25519 public key, the same for all parties; or an `Authority`.
        certificate: the authority's certificate of that key; none where keys are pinned.
        rand: returns that many uniform random bytes. A stream that is recorded, or drawn twice, is
            for tests: after `restore` it must not begin anew, which would seal under an old key.
        store: where the host keeps snapshots, each written before the reply that it records leaves;
            then the last request may be repeated and is given the same reply. Default: nowhere.

    Raises:
        LocalProtocolError: for an input, a key or a certificate that does not fit.

    >>> x = np.array([1, 2], np.uint32)
    >>> client = secagg.Client(7, params, x, signing_key=keys[7], directory=directory)
    >>> hello = client.start()  # the server's replies follow: client.receive(message)
    >>> client
    Client(u=7, Advertised, n=3, t=3)
    """

    _state: State
    _snapshots: Snapshots | NoSnapshots

    def __init__(
        self,
        u: int,
        params: Params,
        vectors: RingVector | Mapping[str, RingVector],
        *,
        signing_key: Ed25519PrivateKey,
        directory: Directory | Mapping[int, bytes],
        certificate: bytes = b"",
        rand: Rand = token_bytes,
        store: SnapshotStore | None = None,
    ) -> None:
        self._join(u, params, signing_key, directory, certificate, rand)
        if store is not None:
            self._snapshots = Snapshots(store, self._params_digest, u)
        self._state = Created(with_tallies(params.vectors, vectors))

    def _join(
        self,
        u: int,
        params: Params,
        signing_key: Ed25519PrivateKey,
        directory: Directory | Mapping[int, bytes],
        certificate: bytes,
        rand: Rand,
    ) -> None:
        check_id(u)
        params.need_server_key()
        self.u = u
        self._params = params
        self._directory = as_directory(directory)
        if not isinstance(signing_key, Ed25519PrivateKey):
            raise LocalProtocolError(
                f"the signing key is a {type(signing_key).__name__}, expected an Ed25519PrivateKey"
            )
        if type(certificate) is not bytes:
            raise LocalProtocolError(
                f"a certificate is bytes, this is {type(certificate).__name__}"
            )
        try:
            identity = self._directory.identity(u, certificate)
        except RemoteProtocolError as error:
            raise LocalProtocolError(str(error)) from None
        if signing_key.public_key().public_bytes_raw() != identity:
            raise LocalProtocolError(f"the signing key is not the one the directory has for {u}")
        self._signing_key, self._certificate = signing_key, certificate
        self._rand = rand
        self._params_digest = params.digest(self._directory.digest)
        self._snapshots = NoSnapshots()

    @classmethod
    def restore(
        cls,
        blob: Buffer,
        generation: int,
        u: int,
        params: Params,
        *,
        signing_key: Ed25519PrivateKey,
        directory: Directory | Mapping[int, bytes],
        certificate: bytes = b"",
        store: SnapshotStore,
        rand: Rand = token_bytes,
    ) -> Self:
        """The client that a blob was stored of; `store` is called before it is returned.

        It gives the request that it answered last the same bytes again, and goes on from there. Any
        other request of a round that it has answered aborts it. Rolling back is fatal: `generation`
        must come from where the host keeps it, not from beside the blob (`SnapshotStore`).

        Raises:
            LocalProtocolError: for a blob of another generation, client, session or key, or one
                that was changed; for a signing key that does not fit.
        """
        client = cls.__new__(cls)
        client._join(u, params, signing_key, directory, certificate, rand)
        client._snapshots = snapshots = Snapshots(store, client._params_digest, u)
        client._state = snapshots.restore(blob, generation, client._directory)
        return client

    def __repr__(self) -> str:
        params = self._params
        return f"{type(self).__name__}(u={self.u}, {self.state}, n={params.n}, t={params.t})"

    @property
    def state(self) -> str:
        """Created, Advertised, Shared, Masked, Checked, Done, Ended or Aborted."""
        return type(self._state).__name__

    def start(self) -> AdvertiseKeys:
        """Round 0, AdvertiseKeys. LocalProtocolError if the session has already begun."""
        if isinstance(again := self._again(START), AdvertiseKeys):
            return again
        if not isinstance(self._state, Created):
            raise LocalProtocolError(f"start() is for a Created client; this one is {self.state}")
        c_sk, s_sk, b_u = self._rand(32), self._rand(32), self._rand(32)
        hello = AdvertiseKeys(
            self.u,
            _public(c_sk),
            _public(s_sk),
            commitment(self._params_digest, self.u, b_u),
            self._certificate,
            UNSIGNED,
        )
        hello = msgspec.structs.replace(hello, signature=self._sign(0, b"", hello.body()))
        end_key = self._end_key(c_sk, hello.c_pk)
        self._commit(Advertised(self._state.vectors, c_sk, s_sk, b_u, hello, end_key), START, hello)
        return hello

    def end(self, message: AnyMessage | Buffer) -> bool:
        """Take the server's word that the session is over: whether there is a sum.

        The client is Ended then, and holds nothing. An end that the server did not make changes
        nothing: whoever sits on the wire cannot end a session so that a client forgets it.

        Raises:
            RemoteProtocolError: for anything but the server's SessionEnd for this client.
            LocalProtocolError: for a client that has not begun, or is over.
            Whatever the host's `store` raises; the client is Aborted.
        """
        if not isinstance(self._state, Running):
            raise LocalProtocolError(f"no session ends for a client that is {self.state}")
        if isinstance(message, Buffer):
            message = wire.decode(message)
        if not isinstance(message, SessionEnd):
            raise RemoteProtocolError(f"a {type(message).__name__}, expected a SessionEnd")
        check_end(self._state.end_key, message)
        self._commit(Ended(message.summed), START, None)
        return message.summed

    def _end_key(self, c_sk: bytes, c_pk: bytes) -> bytes:
        private, server_key = X25519PrivateKey.from_private_bytes(c_sk), self._params.server_key
        return end_key(private, server_key, self._params_digest, self.u, c_pk)

    def receive(self, message: AnyMessage | Buffer) -> ClientMessage:
        """The reply to one server message: a message in, or its bytes, and a message out.

        Raises:
            RemoteProtocolError: for anything that is not allowed now; the client is Aborted.
            LocalProtocolError: if the session is over, or was not begun.
            Whatever the host's `store` raises: no reply leaves, and the client is Aborted.
        """
        request = self._snapshots.request(message)
        if (again := self._again(request)) is not None:
            return again
        if isinstance(self._state, Created | Done | Ended | Aborted):
            raise LocalProtocolError(f"no message can be received by a client that is {self.state}")
        # An exception anywhere below must find the client Aborted: it is the state until the end.
        state, self._state = self._state, Aborted()
        try:
            if isinstance(message, Buffer):
                message = wire.decode(message)
            following, reply = self._step(state, message)
        except RemoteProtocolError as error:
            _log.warning("client %d: %s, Aborted: %s", self.u, type(state).__name__, error)
            self._commit(Aborted(), request, None)
            raise
        self._commit(following, request, reply)
        return reply

    def _again(self, request: bytes) -> ClientMessage | None:
        """The last reply, if its request has come again; Aborted answers nothing at all."""
        return None if isinstance(self._state, Aborted) else self._snapshots.answer_to(request)

    def _commit(self, state: State, request: bytes, reply: ClientMessage | None) -> None:
        """Store first, be in the new state after: while the host stores, and if it fails, Aborted.

        A write that failed may have left its blob: this process must not answer differently.
        """
        self._state = Aborted()
        self._snapshots.record(state, request, reply)
        self._state = state
        _log.debug("client %d: %s", self.u, self.state)

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
        # Fig. 4, round 1: |U1| ≥ t, all keys different, all signatures valid.
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
            dealt_to_v = seal_shares(binding, channels[v], u, v, dealt.tobytes(), self._rand)
            ciphertexts.append(dealt_to_v)
        reply = ShareKeys(u, memoryview(b"".join(ciphertexts)), UNSIGNED)
        signature = self._sign(1, roster.digest, reply.body())
        return (
            Shared(
                state.vectors, state.s_sk, state.b_u, roster, channels, own_share, state.end_key
            ),
            msgspec.structs.replace(reply, signature=signature),
        )

    def _masked_input(self, state: Shared, message: Ciphertexts) -> tuple[Masked, MaskedInput]:
        """Round 2: open every ciphertext now, then mask the input in place with all of U2."""
        u, t, senders = self.u, self._params.t, message.senders
        # Fig. 4, round 2: U2 ⊆ U1, on the graph N(u); each sender once.
        if not (strictly_ascending(senders) and state.channels.keys() >= set(senders)):
            raise RemoteProtocolError("the senders are not an ascending list of neighbours")
        if len(message.ciphertexts) != len(senders) * CIPHERTEXT_BYTES:
            raise RemoteProtocolError(
                f"{len(message.ciphertexts)} bytes of ciphertexts from {len(senders)} senders, "
                f"expected {CIPHERTEXT_BYTES} from each"
            )
        # Fig. 4, round 2: |U2| ≥ t; u's own share of b_u counts.
        if len(senders) + 1 < t:
            raise RemoteProtocolError(f"{len(senders)} senders and client {u} are fewer than t={t}")
        binding = state.roster.binding(self._params_digest)
        # Fig. 4 decrypts in round 4; here now, so that garbage is known before U3 is fixed.
        opened = {
            v: open_shares(binding, state.channels[v], v, u, ciphertext)
            for v, ciphertext in zip(
                senders, records(message.ciphertexts, CIPHERTEXT_BYTES), strict=True
            )
        }
        masks.add_masks(state.vectors, self._streams(state, senders), prg_of(self._params.suite))
        reply = MaskedInput(
            u,
            tuple(map(pack, self._params.vectors, state.vectors)),
            tuple(v for v in senders if opened[v] is None),
            UNSIGNED,
        )
        # Not in Fig. 4: what was given is signed, for who carries it may have changed it.
        signature = self._sign(2, state.roster.digest, reply.body(message.digest()))
        held = {v: shares for v, shares in opened.items() if shares is not None}
        missing = state.channels.keys() - set(senders)
        return (
            Masked(state.roster, frozenset(missing), held, state.own_share, state.end_key),
            msgspec.structs.replace(reply, signature=signature),
        )

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
        # Fig. 4, round 3: |U3| ≥ t; a quorum of the whole roster, for sparse graphs.
        if len(U3) < self._params.min_survivors:
            raise RemoteProtocolError(
                f"U3 has {len(U3)} clients, expected at least {self._params.min_survivors}"
            )
        # Fig. 4, round 3: U3 ⊆ U2 ⊆ U1, and u is in it.
        if self.u not in U3 or not state.roster.index.keys() >= U3:
            raise RemoteProtocolError(f"U3 is not a part of the roster that holds client {self.u}")
        # The same for N(u): who is in no sender's list has no mask with u, and no share here.
        if state.absent & U3:
            raise RemoteProtocolError(
                f"U3 holds neighbours that sent client {self.u} no ciphertext"
            )
        body = ConsistencyCheck.body(message.U3)
        reply = ConsistencyCheck(self.u, self._sign(3, state.roster.digest, body))
        following = Checked(state.roster, message.U3, state.held, state.own_share, state.end_key)
        return following, reply

    def _unmasking(self, state: Checked, message: Signatures) -> tuple[Done, Unmasking]:
        """Round 4: if min_survivors members of U3 signed it, one share for each owner."""
        # Fig. 4, round 4: U4 ⊆ U3, |U4| ≥ t, every signature is of the U3 that u signed.
        self._check_signatures(state, message)
        U3 = frozenset(state.U3)
        # Fig. 4, round 4: shares of s_sk for U2∖U3, of b for U3; never both of one owner.
        shares = {v: released_share(held, v in U3) for v, held in state.held.items()}
        shares[self.u] = state.own_share
        packed = b"".join(shares[v] for v in sorted(shares))
        binding, key = state.roster.binding(self._params_digest), self._params.server_key
        sealed = seal_for_server(binding, key, self.u, packed, self._rand)
        reply = Unmasking(self.u, sealed, UNSIGNED)
        signature = self._sign(4, state.roster.digest, reply.body())
        return Done(state.end_key), msgspec.structs.replace(reply, signature=signature)

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


def _public(secret: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def _exchange(secret: X25519PrivateKey, public: bytes) -> bytes:
    return secret.exchange(X25519PublicKey.from_public_bytes(public))
