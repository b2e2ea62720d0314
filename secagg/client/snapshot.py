"""What a host keeps of a client so that a crash neither loses the session nor opens a secret.

    blob = layout ‖ generation ‖ nonce ‖ AES-GCM(key, (state, request digest, exact reply))
    associated data = (label, layout, params digest, u, generation)

The blob of a reply is stored before the reply leaves.  A restored client gives the same request the
same bytes, and goes on from there; its state allows no other request of an answered round.

    generation of a blob = that of the one before + 1, for a reply or an abort
                           that of the one before + 16, for a restore

A session has fewer than 16 replies and aborts, so two blobs of one generation never lead to two
different replies, also if one of them was written by a `store` that then failed.

What this cannot do is notice an old blob: that is what `generation` is for, and only the host can
keep it where nobody rolls it back.  A client restored from an old state answers a round twice, and
each such round opens secrets: `docs/decisions/0003-snapshots.md` says which.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import msgspec

from secagg import wire
from secagg.client.states import Aborted, Advertised, Checked, Done, Ended, Masked, Shared, State
from secagg.identity.directory import Directory
from secagg.keys import CLIENT_SNAPSHOT, REQUEST, Buffer, id_bytes, sha256
from secagg.messages import AnyMessage, ClientMessage
from secagg.roster import CheckedRoster
from secagg.snapshots.sealed import check_key, seal, unseal
from secagg.snapshots.state_bytes import encode, fields_of, from_fields

RESTORED = 16
START = b""
"""Stands where the digest of a request would be: `start` has none."""


@dataclass(frozen=True)
class SnapshotStore:
    """A host's place for the snapshots of one client in one session.

    Args:
        key: 16 or 32 uniform random bytes of the host; it may serve many clients and sessions.
        write: called with (blob, generation) before anything leaves. It must, in this order: refuse
            (raise) unless `generation` is higher than the one the host keeps; make the blob
            survive a crash, beside the one before it; advance the kept generation. It returns when
            all that is done. If it raises, nothing leaves and the client is Aborted; the host
            restores from the blob of the generation that it keeps.

    The kept generation must be where neither a backup, nor a copied disk, nor whoever may write
    the blobs can set it back. It outlives the session: generation 0 means that this client never
    began this session, and a second `Client` for a session that has begun is a rollback too.

    Raises:
        LocalProtocolError: for a key of another length.

    >>> kept = []  # a host keeps them on a disk
    >>> store = secagg.SnapshotStore(bytes(32), lambda *snapshot: kept.append(snapshot))
    >>> who = {"signing_key": keys[7], "directory": directory, "store": store}
    >>> hello = secagg.Client(7, params, np.zeros(2, np.uint32), **who).start()
    >>> secagg.Client.restore(*kept[-1], 7, params, **who)
    Client(u=7, Advertised, n=3, t=3)
    """

    key: bytes = field(repr=False)
    write: Callable[[bytes, int], None]

    def __post_init__(self) -> None:
        check_key(self.key)


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """The plaintext of a client's blob; an empty reply answers no request."""

    state: str
    roster: bytes
    fields: list[object]
    request: bytes
    reply: bytes

    def __repr__(self) -> str:
        return f"_Kept({self.state})"


_STATES = {
    kind.__name__: kind for kind in (Advertised, Shared, Masked, Checked, Done, Ended, Aborted)
}


class Snapshots:
    """The snapshots of one client: the generation it has reached, and its last answer."""

    def __init__(self, store: SnapshotStore, params_digest: bytes, u: int) -> None:
        self._store, self._generation = store, 0
        self._identity = (CLIENT_SNAPSHOT, params_digest, id_bytes(u))
        self._request, self._reply = START, b""

    def request(self, message: AnyMessage | Buffer) -> bytes:
        """The digest by which a message is recognised when it comes again."""
        return sha256(REQUEST, message if isinstance(message, Buffer) else wire.encode(message))

    def answer_to(self, request: bytes) -> ClientMessage | None:
        """The recorded reply, if this is the request that was last answered."""
        if not self._reply or request != self._request:
            return None
        return cast(ClientMessage, wire.decode(self._reply))

    def record(self, state: State, request: bytes, reply: ClientMessage | None) -> None:
        """Have the host store this; what `write` raises goes through."""
        frame = b"" if reply is None else wire.encode(reply)
        roster = b""
        if isinstance(state, Shared | Masked | Checked):
            roster = wire.encode(state.roster.columns)
        fields = fields_of(state, {CheckedRoster})
        kept = encode(_Kept(type(state).__name__, roster, fields, request, frame))
        self._write(kept, self._generation + 1)
        self._request, self._reply = request, frame

    def restore(self, blob: Buffer, generation: int, directory: Directory) -> State:
        """The state in a blob, once the host has stored it again under a generation of its own."""
        plaintext = unseal(self._store.key, blob, generation, *self._identity)
        kept = msgspec.msgpack.decode(plaintext, type=_Kept)
        given: dict[type, object] = {}
        if kept.roster:
            given[CheckedRoster] = CheckedRoster.trusted(kept.roster, directory)
        state = from_fields(_STATES[kept.state], kept.fields, given)
        # From here on no other process, and no blob of a write that failed, has a generation that
        # the host would accept: whoever was restored last is the only one that can answer.
        self._write(plaintext, generation + RESTORED)
        self._request, self._reply = kept.request, kept.reply
        return cast(State, state)

    def _write(self, plaintext: bytes, generation: int) -> None:
        blob = seal(self._store.key, plaintext, generation, *self._identity)
        self._store.write(blob, generation)
        self._generation = generation


class NoSnapshots:
    """The same for a host that keeps nothing: what is answered is answered once."""

    def request(self, message: AnyMessage | Buffer) -> bytes:
        """Nothing is recognised."""
        return START

    def answer_to(self, request: bytes) -> None:
        """No answer is repeated."""

    def record(self, state: State, request: bytes, reply: ClientMessage | None) -> None:
        """Nothing is stored."""
