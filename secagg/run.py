"""The whole protocol on one screen: real clients and a real server, in memory.

Every message crosses `link` as bytes, so nothing is skipped: replace it to count, delay, lose or
forge what travels.  What n clients are all sent is encoded once; each distinct frame is decoded,
and its signatures are checked, once a process: both are pure functions of bytes, so that what one
client found holds for the next (`roster`).  Link and server are here; where the clients are, and
whether one after another, is for `batches` to say.
"""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from secrets import token_bytes

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from secagg import wire
from secagg.client.client import Client
from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.identity.directory import Pinned
from secagg.masks.prg import RingVector
from secagg.params import Params
from secagg.server.aggregate import Aggregate
from secagg.server.server import Server
from secagg.sharing.shamir import Rand
from secagg.simulation.workers import Frames, answering

ROUNDS = range(5)

Link = Callable[[int | None, int | None, bytes], bytes | None]
"""(sender, receiver, frame) → the frame that arrives, or None; the server is None."""

Progress = Callable[[int, int, int], None]
"""(round, clients done, clients of the round)."""


def run(
    params: Params,
    inputs: Mapping[int, RingVector | Mapping[str, RingVector]],
    *,
    drop: Mapping[int, int] | None = None,
    signing_keys: Mapping[int, Ed25519PrivateKey] | None = None,
    rand: Rand | None = None,
    link: Link | None = None,
    contexts: Mapping[int, bytes] | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    private_key: X25519PrivateKey | None = None,
) -> Aggregate:
    """Play one session and return its sum.

    Args:
        params: the session's parameters.
        inputs: client id → its vector, or its named vectors.
        drop: u → r: u completes the rounds before r and is gone from round r on.
        signing_keys: identity keys, the directory of this session; default fresh ones.
        rand: the clients' randomness, not with an executor; default the operating system's.
        link: what every frame crosses; default a perfect network.
        contexts: u → the context digest u computed, where it is not `params.context`.
        executor: where clients answer and masks are removed, in batches, if the session is large
            enough; default here. Its workers see everything. The sum is the same bit for bit.
        progress: called with (round, clients done, clients of the round) after each client.
        private_key: the server's, of `params.server_key`; default a fresh one for a session whose
            params have no server key.

    Raises:
        TooFewClients: if the drops leave too few.
        LocalProtocolError: for inputs that do not fit `params`; for params with a server key
            without its private half.
        RemoteProtocolError: if shares or tally do not fit (which takes a forging link).
        Whatever the executor raises.

    >>> params = secagg.Params(4, [secagg.VectorSpec("x", 3, 32)], t=3, corrupt=0)
    >>> inputs = {u: np.array([u, 1, 10], np.uint32) for u in range(4)}
    >>> secagg.run(params, inputs, drop={2: 1}).sum.tolist()  # of clients 0, 1 and 3
    [4, 3, 30]
    """
    drop, contexts = drop or {}, contexts or {}
    for name, value in (("inputs", inputs), ("drop", drop), ("contexts", contexts)):
        if not isinstance(value, Mapping):
            seen = type(value).__name__
            raise LocalProtocolError(f"{name} is a {seen}, expected a mapping of client ids")
    if rand is not None and executor is not None:
        # Copies of one source would draw the same keys for several clients.
        raise LocalProtocolError(
            "rand with an executor: expected one of them, workers draw from the operating system"
        )
    if signing_keys is None:
        signing_keys = {u: Ed25519PrivateKey.generate() for u in inputs}
    _check_clients(params, inputs, drop, signing_keys)
    private_key = private_key or X25519PrivateKey.generate()
    if not params.server_key:
        params = replace(params, server_key=private_key.public_key().public_bytes_raw())
    directory = Pinned({u: key.public_key().public_bytes_raw() for u, key in signing_keys.items()})
    server = Server(params, directory=directory, private_key=private_key, executor=executor)
    params_of = lru_cache(lambda context: replace(params, context=context))
    clients = {
        u: Client(
            u,
            params_of(contexts.get(u, params.context)),
            vectors,
            signing_key=signing_keys[u],
            directory=directory,
            rand=rand or token_bytes,
        )
        for u, vectors in inputs.items()
    }
    answer, link = answering(clients, params.t, executor), link or _perfect
    frames: Frames = dict.fromkeys(clients)
    for round in ROUNDS:
        there = {u: frame for u, frame in frames.items() if round < drop.get(u, len(ROUNDS))}
        arrived = there if round == 0 else _down(link, there)
        with closing(answer(round, arrived)) as replies:
            for done, u in enumerate(frames, 1):
                if u in arrived and (reply := next(replies)) is not None:
                    _up(link, u, reply, server)
                if progress is not None:
                    progress(round, done, len(frames))
        frames = dict(wire.encode_all(server.close_round()))
    never = {u: 0 for u in inputs if u not in server.result.survivors}
    return replace(server.result, dropped=dict(sorted((never | server.result.dropped).items())))


def _down(link: Link, sent: Frames) -> dict[int, bytes | None]:
    """What arrives of the server's frames: all of them cross before anybody replies."""
    crossed = ((u, link(None, u, frame)) for u, frame in sent.items() if frame is not None)
    return {u: frame for u, frame in crossed if frame is not None}


def _up(link: Link, u: int, reply: bytes, server: Server) -> None:
    """A client's reply to the server; it may be lost or refused."""
    try:
        if (frame := link(u, None, reply)) is not None:
            server.receive(u, frame)
    except RemoteProtocolError:
        return  # its author is silent from here on


def _perfect(sender: int | None, receiver: int | None, frame: bytes) -> bytes:
    return frame


def _check_clients(
    params: Params, inputs: Collection[int], drop: Mapping[int, int], keys: Collection[int]
) -> None:
    if len(inputs) > params.n:
        raise LocalProtocolError(f"{len(inputs)} clients, expected at most n={params.n}")
    for u in inputs:
        if u not in keys:
            raise LocalProtocolError(f"no signing key for client {u}")
    for u, round in drop.items():
        if u not in inputs or round not in ROUNDS:
            raise LocalProtocolError(
                f"drop[{u}]={round}: expected one of the clients and a round in 0..4"
            )
