"""The parties of a simulation: a real server and real clients, with keys where none are given."""

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from functools import lru_cache
from secrets import token_bytes

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from secagg.client.client import Client
from secagg.client.inputs import checked
from secagg.errors import LocalProtocolError
from secagg.identity.directory import Pinned
from secagg.masks.jobs import jobs_for
from secagg.masks.prg import RingVector
from secagg.params import Params
from secagg.server.aggregate import Aggregate
from secagg.server.server import Server
from secagg.sharing.shamir import Rand
from secagg.simulation.checks import RememberedChecks
from secagg.simulation.network import ROUNDS
from secagg.simulation.workers import Batches, Frames, Replies, replies

Inputs = Mapping[int, RingVector | Mapping[str, RingVector]]

Answer = Callable[[int, Frames], Replies]
"""(round, frames that arrived) → what each receiver replies, in their order."""


def set_up(
    params: Params,
    inputs: Inputs,
    drop: Mapping[int, int] | None,
    signing_keys: Mapping[int, Ed25519PrivateKey] | None,
    rand: Rand | None,
    contexts: Mapping[int, bytes] | None,
    executor: Executor | None,
    private_key: X25519PrivateKey | None,
) -> tuple[Server, Answer]:
    """The server and the clients of a session; arguments and errors are those of `secagg.run`."""
    drop, contexts = drop or {}, contexts or {}
    for name, value in (("inputs", inputs), ("drop", drop), ("contexts", contexts)):
        if not isinstance(value, Mapping):
            seen = type(value).__name__
            raise LocalProtocolError(f"{name} is a {seen}, expected a mapping of client ids")
    if rand is not None and executor is not None:
        # Copies of one source would draw the same keys for several clients.
        raise LocalProtocolError(
            "rand with an executor, expected one of them, workers draw from the operating system"
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
    checks = RememberedChecks()

    def client(u: int, vectors: Mapping[str, RingVector] | None) -> Client:
        return Client(
            u,
            params_of(contexts.get(u, params.context)),
            vectors,
            signing_key=signing_keys[u],
            directory=directory,
            rand=rand or token_bytes,
            checks=checks,
        )

    return server, _answering(params, inputs, client, executor)


def with_dropped(result: Aggregate, clients: Iterable[int]) -> Aggregate:
    """The same sum; `dropped` has also those who never advertised a key, in round 0."""
    never = {u: 0 for u in clients if u not in result.survivors}
    return replace(result, dropped=dict(sorted((never | result.dropped).items())))


def _answering(
    params: Params,
    inputs: Inputs,
    client: Callable[[int, Mapping[str, RingVector] | None], Client],
    executor: Executor | None,
) -> Answer:
    """The clients here, or in the executor's workers if their masks are work enough for it."""
    # Each client masks with t others at the least, itself included.
    jobs = jobs_for(len(inputs) * params.t)
    # One at a time, and once: a mapping may make each input only when it is asked for.
    named = ((u, checked(params.vectors, vectors)) for u, vectors in inputs.items())
    if executor is None or jobs < 2:
        clients = {u: client(u, vectors) for u, vectors in named}
        return lambda round, sent: replies(clients, sent)
    return Batches({u: client(u, None) for u in inputs}, dict(named), jobs, executor).replies


def _check_clients(
    params: Params, inputs: Collection[int], drop: Mapping[int, int], keys: Collection[int]
) -> None:
    if len(inputs) > params.n:
        raise LocalProtocolError(f"{len(inputs)} clients, expected at most n={params.n}")
    for u in inputs:
        if u not in keys:
            raise LocalProtocolError(f"no signing key for client {u}, expected one for each client")
    for u, round in drop.items():
        if u not in inputs or round not in ROUNDS:
            raise LocalProtocolError(
                f"drop[{u}]={round}, expected one of the clients and a round in 0..4"
            )
