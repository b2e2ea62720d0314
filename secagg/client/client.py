"""A client of one session: one state type for each round of Figure 4, and one table of its steps.

Guarantee: whatever the server sends, this client answers each round once, releases for each owner
a share of b_v or a share of s_sk_v but never both, and only for the one U3 that min_survivors
members of the roster signed.  Anything illegal leaves it `Aborted` for good.  A client's garbage,
relayed by the server, never does.  What each round checks and does: `rounds`.

Sans-I/O: who drives it owns sockets, clocks and retries, and calls it from one thread at a time.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from secrets import token_bytes
from typing import Self, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from secagg import wire
from secagg.client.inputs import with_tallies
from secagg.client.member import Member
from secagg.client.rounds import advertise_keys, check_consistency, mask_input, share_keys, unmask
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
    Shared,
    State,
)
from secagg.ending import check_end
from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.identity.directory import Directory, as_directory
from secagg.keys import Buffer
from secagg.masks.prg import RingVector
from secagg.messages import (
    AdvertiseKeys,
    AnyMessage,
    Ciphertexts,
    ClientMessage,
    Roster,
    SessionEnd,
    Signatures,
    Survivors,
)
from secagg.params import Params
from secagg.roster import RosterChecks
from secagg.sharing.shamir import Rand

_log = logging.getLogger(__name__)


class Client:
    """One client, one session, one input.

    It logs its states, and why it aborted, under the name `secagg.client`.

    Args:
        u: this client's id in the directory, 0 <= u < 2^63.
        params: the session's parameters, from this host's own configuration.
        vectors: the input, by vector name; or one array where the session has one vector. Shape
            (length,) and dtype `spec.dtype`; only the low `spec.bits` bits count. It is copied.
            None where it is not known yet: `provide_input` gives it, before round 2.
        signing_key: the Ed25519 identity key whose public half is u's by the directory.
        directory: id → raw Ed25519 public key, the same for all parties; or an `Authority`.
        certificate: the authority's certificate of that key; none where keys are pinned.
        rand: returns that many uniform random bytes. A stream that is recorded, or drawn twice, is
            for tests: after `restore` it must not begin anew, which would seal under an old key.
        store: where the host keeps snapshots, each written before the reply that it records leaves;
            then the last request may be repeated and is given the same reply. Default: nowhere.
        checks: how the signatures of others are checked. A simulation of many clients in one
            process has one that remembers; a client on its own host takes the default.

    Raises:
        LocalProtocolError: for an input, a key or a certificate that does not fit.

    >>> x = np.array([1, 2], np.uint32)
    >>> client = secagg.Client(7, params, x, signing_key=keys[7], directory=directory)
    >>> hello = client.start()  # the server's replies follow: client.receive(message)
    >>> client
    Client(u=7, Advertised, n=3, t=3)
    """

    def __init__(
        self,
        u: int,
        params: Params,
        vectors: RingVector | Mapping[str, RingVector] | None,
        *,
        signing_key: Ed25519PrivateKey,
        directory: Directory | Mapping[int, bytes],
        certificate: bytes = b"",
        rand: Rand = token_bytes,
        store: SnapshotStore | None = None,
        checks: RosterChecks | None = None,
    ) -> None:
        checks = RosterChecks() if checks is None else checks
        self._member = Member(
            u, params, signing_key, as_directory(directory), certificate, rand, checks
        )
        self._snapshots: Snapshots | NoSnapshots = NoSnapshots()
        if store is not None:
            self._snapshots = Snapshots(store, self._member.transcript.params_digest, u)
        words = None if vectors is None else with_tallies(params.vectors, vectors)
        self._state: State = Created(words)

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
        client = cls(
            u,
            params,
            None,
            signing_key=signing_key,
            directory=directory,
            certificate=certificate,
            rand=rand,
        )
        member = client._member
        client._snapshots = snapshots = Snapshots(store, member.transcript.params_digest, u)
        client._state = snapshots.restore(blob, generation, member.directory)
        return client

    def __repr__(self) -> str:
        params = self._member.params
        return f"{type(self).__name__}(u={self.u}, {self.state}, n={params.n}, t={params.t})"

    @property
    def u(self) -> int:
        """This client's id."""
        return self._member.u

    @property
    def state(self) -> str:
        """Created, Advertised, Shared, Masked, Checked, Done, Ended or Aborted."""
        return type(self._state).__name__

    def provide_input(self, vectors: RingVector | Mapping[str, RingVector]) -> None:
        """Give the input of a client that was made without one: once, and before round 2.

        It may come while the session goes on, as rounds 0 and 1 do not depend on it. A snapshot
        from before has no input: whoever restores from it gives the input again.

        Raises:
            LocalProtocolError: for an input that does not fit, or for a client that has one, has
                sent one, or is over: no client masks two inputs.
        """
        state = self._state
        if not isinstance(state, Created | Advertised | Shared) or state.vectors is not None:
            raise LocalProtocolError(
                f"an input for a client that is {self.state}, expected one that was made without "
                "an input and has not been given one"
            )
        words = with_tallies(self._member.params.vectors, vectors)
        self._state = replace(state, vectors=words)

    def start(self) -> AdvertiseKeys:
        """Round 0, AdvertiseKeys. LocalProtocolError if the session has already begun."""
        if isinstance(again := self._again(START), AdvertiseKeys):
            return again
        if not isinstance(self._state, Created):
            raise LocalProtocolError(
                f"start() of a client that is {self.state}, expected one that is Created"
            )
        return cast(AdvertiseKeys, self._advance(None, START))

    def end(self, message: AnyMessage | Buffer) -> bool:
        """Take the server's message that the session is over; returns whether there is a sum.

        The client is Ended then, and holds nothing. An end that the server did not make changes
        nothing: somebody between the two cannot make a client erase its state.

        Raises:
            RemoteProtocolError: for anything but the server's SessionEnd for this client.
            LocalProtocolError: for a client that has not begun, or is over.
            Exception: whatever the host's `store` raises; the client is Aborted.
        """
        if not isinstance(self._state, Running):
            raise LocalProtocolError(
                f"an end for a client that is {self.state}, expected one whose session goes on"
            )
        if isinstance(message, Buffer):
            message = wire.decode(message)
        if not isinstance(message, SessionEnd):
            raise RemoteProtocolError(f"a {type(message).__name__}, expected a SessionEnd")
        check_end(self._state.end_key, message)
        self._commit(Ended(message.summed), START, None)
        return message.summed

    def receive(self, message: AnyMessage | Buffer) -> ClientMessage:
        """The reply to one server message: a message in, or its bytes, and a message out.

        Raises:
            RemoteProtocolError: for anything that is not allowed now; the client is Aborted.
            LocalProtocolError: if the session is over, or was not begun; if round 2 is due and
                there is no input. The client is as it was.
            Exception: whatever the host's `store` raises; no reply leaves, the client is Aborted.
        """
        request = self._snapshots.request(message)
        if (again := self._again(request)) is not None:
            return again
        if isinstance(self._state, Created | Done | Ended | Aborted):
            raise LocalProtocolError(
                f"a message for a client that is {self.state}, expected one whose session goes on"
            )
        if isinstance(self._state, Shared) and self._state.vectors is None:
            raise LocalProtocolError("round 2 without an input, expected provide_input() before")
        return self._advance(message, request)

    def _advance(self, message: AnyMessage | Buffer | None, request: bytes) -> ClientMessage:
        """One step of the table: the reply, once the host has stored it."""
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

    def _step(self, state: State, message: AnyMessage | None) -> tuple[State, ClientMessage]:
        """The transition table of Figure 4: every pair that is not here is illegal.

        Round 0 answers no message: there it is None.
        """
        match state, message:
            case Created(), None:
                return advertise_keys(self._member, state)
            case Advertised(), Roster():
                return share_keys(self._member, state, message)
            case Shared(), Ciphertexts() if state.vectors is not None:
                return mask_input(self._member, state, state.vectors, message)
            case Masked(), Survivors():
                return check_consistency(self._member, state, message)
            case Checked(), Signatures():
                return unmask(self._member, state, message)
        seen, now = type(message).__name__, type(state).__name__
        raise RemoteProtocolError(
            f"a {seen} while the client is {now}, expected the message of that round"
        )
