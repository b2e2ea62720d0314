"""The server of one session: adds masked inputs, reconstructs what it must, and learns the sum.

Each round: `receive` any number of client messages, then `close_round`, which gives the messages to
send.  A message that is not what the protocol allows raises and changes nothing: its author has not
answered, and the session goes on.  The server keeps no single y_u, and checks before the clients do
everything that they check of relayed public data.

Sans-I/O: who drives it decides when a round closes, and calls it from one thread at a time.
"""

import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from secagg import wire
from secagg.errors import LocalProtocolError, RemoteProtocolError, SecAggError
from secagg.identity.directory import Directory, as_directory
from secagg.keys import Buffer
from secagg.messages import AnyMessage, ClientMessage
from secagg.params import Params
from secagg.server.aggregate import Aggregate, Failed
from secagg.server.rounds import Advertising
from secagg.server.session import Outbox, Session
from secagg.server.snapshot import open_server, seal_server
from secagg.server.transitions import Round, close, take

_log = logging.getLogger(__name__)


class Server:
    """One session's server.

    It logs what each round came to, by ids and numbers of clients, under the name `secagg.server`.

    Args:
        params: the session's parameters.
        directory: id → raw Ed25519 public key, the same for all parties; or an `Authority`.
        private_key: the private half of `params.server_key`; without it nobody can open a sum.
        executor: where the masks are expanded that the last `close_round` removes, for example a
            `ProcessPoolExecutor`; default here. Its workers see the reconstructed s_sk of clients
            outside U3 and the mask seeds of the others: they must be as trusted as this process.

    Raises:
        LocalProtocolError: for params without a server key, or with that of another private key.

    >>> server = secagg.Server(params, directory=directory, private_key=private_key)
    >>> for u, key in keys.items():
    ...     x = np.array([u, 1], np.uint32)
    ...     client = secagg.Client(u, params, x, signing_key=key, directory=directory)
    ...     server.receive(u, client.start())
    >>> outbox = server.close_round()  # to whom, what
    >>> server, sorted(outbox)
    (Server(Sharing, 0 answered, n=3, t=3), [4, 7, 9])
    """

    def __init__(
        self,
        params: Params,
        *,
        directory: Directory | Mapping[int, bytes],
        private_key: X25519PrivateKey,
        executor: Executor | None = None,
    ) -> None:
        _check_key(params, private_key)
        self._session = Session(params, as_directory(directory), private_key, executor)
        self._round: Round | Aggregate | Failed = Advertising(self._session)
        self._outbox: Outbox = {}

    @classmethod
    def restore(
        cls,
        blob: Buffer,
        key: bytes,
        params: Params,
        *,
        directory: Directory | Mapping[int, bytes],
        private_key: X25519PrivateKey,
        executor: Executor | None = None,
    ) -> Self:
        """The server that `snapshot` was called on, its `outbox` included.

        What it had received or sent since is lost. Clients repeat their last reply if they have a
        `store`, and answer no round a second way: a server older than what it has sent ends in
        TooFewClients, unless it sends the same again.

        Raises:
            LocalProtocolError: for a blob of another session or key, or one that was changed; and
                as the constructor.
        """
        server = cls(params, directory=directory, private_key=private_key, executor=executor)
        server._round, server._outbox = open_server(blob, key, server._session)
        return server

    def snapshot(self, key: bytes) -> bytes:
        """The whole session as it is now, encrypted under a host's key of 16 or 32 bytes.

        It holds what the server has received and no more, which in round 4 is shares of the
        clients' secrets, and after it the sum. Take one after `close_round`, before anything is
        sent.
        """
        return seal_server(key, self._session, self._round, self._outbox)

    def __repr__(self) -> str:
        params, current = self._session.params, self._round
        state = self.state
        if not isinstance(current, Aggregate | Failed):
            state += f", {len(current.answered)} answered"
        return f"{type(self).__name__}({state}, n={params.n}, t={params.t})"

    @property
    def state(self) -> str:
        """Advertising, Sharing, Collecting, Checking, Opening, Aggregate or Failed."""
        return type(self._round).__name__

    @property
    def outbox(self) -> Outbox:
        """What the last `close_round` gave, to be sent again to whoever has not answered."""
        return dict(self._outbox)

    def receive(self, u: int, message: AnyMessage | Buffer) -> None:
        """Take one message that the transport says is from client u, or its bytes.

        Raises:
            RemoteProtocolError: if u may not send it now; the session is as it was.
        """
        if isinstance(message, Buffer):
            message = wire.decode(message)
        if not isinstance(message, ClientMessage):
            raise RemoteProtocolError(
                f"client {u} sent a {type(message).__name__}, expected a client's message"
            )
        current = self._round
        if isinstance(current, Aggregate | Failed):
            raise RemoteProtocolError(
                f"the session is over, client {u} sent round {message.round}, expected nothing"
            )
        self._check_author(u, message, current)
        take(current, message)

    @staticmethod
    def _check_author(u: int, message: ClientMessage, current: Round) -> None:
        # Not in Fig. 4, whose channels are authenticated: nobody hands on another's message.
        if message.u != u:
            raise RemoteProtocolError(
                f"client {u} sent a message of client {message.u}, expected one of its own"
            )
        # Fig. 4, rounds 1 to 4, server: U2, ..., U5 ⊆ U1.
        if not isinstance(current, Advertising) and u not in current.rostered.roster.index:
            raise RemoteProtocolError(f"client {u} is not in the roster, expected one of U1")
        # Fig. 4: one message of each client in each round.
        if u in current.answered:
            raise RemoteProtocolError(f"client {u} has already answered, expected one answer")

    def close_round(self) -> Outbox:
        """End the round: {u: message} to send, empty after the last.

        Raises:
            TooFewClients: if too few answered for the session to go on; it is over.
            RemoteProtocolError: in round 4, if shares do not lead to the secret that their owner
                committed to, or the tally is wrong; the session is over, without a sum.
            LocalProtocolError: if the session was over.
            Exception: whatever the executor raises; the session is over, without a sum.
        """
        current = self._round
        if isinstance(current, Aggregate | Failed):
            raise LocalProtocolError("the session is over, expected a round to close")
        self._round, self._outbox = Failed(), {}
        try:
            self._round, self._outbox = close(current)
        except SecAggError as error:
            _log.warning("%s: the session ends without a sum: %s", type(current).__name__, error)
            raise
        answered, sent = len(current.answered), len(self._outbox)
        _log.info("%s: %d answered, %d are sent on", type(current).__name__, answered, sent)
        return dict(self._outbox)

    @property
    def waiting_for(self) -> frozenset[int]:
        """Who may still answer this round; empty when there is nothing to wait for.

        In round 0 that is everybody enrolled; LocalProtocolError with a directory that cannot be
        listed, such as an `Authority`: there only a deadline ends round 0.
        """
        current = self._round
        if isinstance(current, Aggregate | Failed):
            return frozenset()
        if not isinstance(current, Advertising):
            return frozenset(self._outbox) - frozenset(current.answered)
        if len(current.answered) == self._session.params.n:
            return frozenset()
        if not isinstance(directory := self._session.directory, Mapping):
            raise LocalProtocolError(
                f"the clients of a {type(directory).__name__} cannot be listed, "
                "expected a deadline for round 0"
            )
        return frozenset(directory) - frozenset(current.answered)

    def abandon(self) -> None:
        """End the session without a sum; LocalProtocolError if it is over."""
        if isinstance(self._round, Aggregate | Failed):
            raise LocalProtocolError("the session is over already, expected one that goes on")
        self._round, self._outbox = Failed(), {}

    def ends(self) -> Outbox:
        """After the last round, or a failed one: what tells everybody who began that it is over.

        To be sent to whoever is still there. A client takes it by `Client.end`, and by that from
        nobody but this server; one that never hears it keeps its state until its host drops it.

        Raises:
            LocalProtocolError: while the session goes on.
        """
        if not isinstance(self._round, Aggregate | Failed):
            raise LocalProtocolError(
                f"the session goes on: the server is {self.state}, expected one that is over"
            )
        return self._session.ends(isinstance(self._round, Aggregate))

    @property
    def result(self) -> Aggregate:
        """The sum, after round 4; LocalProtocolError before, or if the session failed."""
        if not isinstance(self._round, Aggregate):
            seen = type(self._round).__name__
            raise LocalProtocolError(f"there is no result: {seen}, expected an Aggregate")
        return self._round


def _check_key(params: Params, private_key: X25519PrivateKey) -> None:
    params.need_server_key()
    if not isinstance(private_key, X25519PrivateKey):
        seen = type(private_key).__name__
        raise LocalProtocolError(f"the private key is a {seen}, expected an X25519PrivateKey")
    if private_key.public_key().public_bytes_raw() != params.server_key:
        raise LocalProtocolError("the private key is another, expected that of params.server_key")
