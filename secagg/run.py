"""The whole protocol on one screen: real clients and a real server, in memory.

Every message crosses `link` as bytes: replace it to count, lose or forge what travels.
"""

from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import closing

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from secagg import wire
from secagg.params import Params
from secagg.server.aggregate import Aggregate
from secagg.sharing.shamir import Rand
from secagg.simulation.network import ROUNDS, Link, Network, Progress, unwatched
from secagg.simulation.setup import Inputs, set_up, with_dropped


def run(
    params: Params,
    inputs: Inputs,
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
        executor: of a large session, answers for clients and removes masks; it sees everything.
        progress: called with (round, clients done, clients of the round) after each client.
        private_key: the server's, of `params.server_key`; default a fresh one where that is empty.

    Raises:
        TooFewClients: if drops, the link, or messages that the server refuses leave too few.
        LocalProtocolError: for inputs, keys or drops that do not fit `params` or each other.
        RemoteProtocolError: if shares or tally do not fit (which takes a forging link).
        Exception: whatever the executor raises.

    >>> params = secagg.Params(4, [secagg.VectorSpec("x", 3, 32)], t=3, corrupt=0)
    >>> inputs = {u: np.array([u, 1, 10], np.uint32) for u in range(4)}
    >>> secagg.run(params, inputs, drop={2: 1}).sum.tolist()  # of clients 0, 1 and 3
    [4, 3, 30]
    """
    server, ask = set_up(params, inputs, drop, signing_keys, rand, contexts, executor, private_key)
    network, progress = Network(link, drop), progress or unwatched
    frames = dict.fromkeys(inputs)
    for round in ROUNDS:
        arrived = network.down(round, frames)
        with closing(ask(round, arrived)) as replies:
            for done, u in enumerate(frames, 1):
                if u in arrived and (reply := next(replies)) is not None:
                    network.up(u, reply, server)
                progress(round, done, len(frames))
        frames = dict(wire.encode_all(server.close_round()))
    return with_dropped(server.result, inputs)
