"""CPU seconds, memory and bytes of one session: `python -m benchmarks.protocol --n 100 --json`.

The clients live in a process of their own: `peak_rss_bytes` is the server's alone.  CPU time is
taken around the calls of a client or of the server, decoding and encoding of frames included; the
pipe between the two processes is outside.  Frames cross it in batches, as they wait for a busy
server: after each change of process the caches are cold.  Client figures are medians over COLD
clients, which are given nothing that another client of their process has already checked; the rest
may reuse it, to save the benchmark's time.  With --workers, `server_cpu_s` leaves theirs out.  With
`--json` the last line is one JSON object.
"""

import argparse
import json
import resource
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import perf_counter, process_time, sleep
from typing import TypeVar

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import secagg
from benchmarks import floor
from secagg import wire
from secagg.messages import CIPHERTEXT_BYTES
from secagg.simulation.checks import RememberedChecks

ROUNDS = ("AdvertiseKeys", "ShareKeys", "MaskedInput", "ConsistencyCheck", "Unmasking")
COLD = 15  # clients that are measured
LOST_ROUND = 2  # who drops is gone after ShareKeys: the most work for the server
BATCH_BYTES = 2**22  # frames that are on their way at a time

Frames = Iterable[tuple[int, bytes | None]]
T = TypeVar("T")


def serve_clients(
    pipe: Connection, params: secagg.Params, keys: dict[int, bytes], cold: set[int]
) -> None:
    """The clients' process: answers [(u, frame)] with [(reply, CPU seconds)] until None."""
    signing = {u: Ed25519PrivateKey.from_private_bytes(raw) for u, raw in keys.items()}
    directory = secagg.Pinned({u: k.public_key().public_bytes_raw() for u, k in signing.items()})
    rng, spec = np.random.default_rng(0), params.vectors[0]
    clients: dict[int, secagg.Client] = {}
    first_words = []
    remembered = RememberedChecks()
    for u in keys:
        x = rng.integers(0, 2**spec.bits, spec.length, dtype=np.uint64).astype(spec.dtype)
        first_words.append(int(x[0]))
        clients[u] = secagg.Client(
            u,
            params,
            x,
            signing_key=signing[u],
            directory=directory,
            checks=None if u in cold else remembered,
        )
    pipe.send(first_words)
    while (batch := pipe.recv()) is not None:
        pipe.send([answer(clients[u], frame) for u, frame in batch])


def answer(client: secagg.Client, frame: bytes | None) -> tuple[bytes, float]:
    """A client's reply to one frame, and its CPU seconds."""
    start = process_time()
    reply = wire.encode(client.start() if frame is None else client.receive(frame))
    return reply, process_time() - start


class Session:
    """One session against clients in another process, with every cost noted."""

    def __init__(
        self, params: secagg.Params, cold: set[int], executor: Executor | None = None
    ) -> None:
        private_key = X25519PrivateKey.generate()
        params = replace(params, server_key=private_key.public_key().public_bytes_raw())
        keys = {u: Ed25519PrivateKey.generate() for u in range(params.n)}
        directory = secagg.Pinned({u: k.public_key().public_bytes_raw() for u, k in keys.items()})
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        raw = {u: key.private_bytes_raw() for u, key in keys.items()}
        self.process = context.Process(target=serve_clients, args=(theirs, params, raw, cold))
        self.process.start()
        self.first_words: list[int] = self.pipe.recv()
        self.import_rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        self.server = secagg.Server(
            params, directory=directory, private_key=private_key, executor=executor
        )
        self.ids = list(keys)
        self.client_cpu: dict[int, list[float]] = defaultdict(list)
        self.up: dict[int, int] = defaultdict(int)
        self.down: dict[int, int] = defaultdict(int)
        self.server_cpu: list[float] = []
        self.server_wall = 0.0
        largest = params.n * CIPHERTEXT_BYTES + sum(s.packed_bytes for s in params.vectors)
        self.batch = max(1, BATCH_BYTES // largest)

    def play(self, lost: set[int]) -> secagg.Aggregate:
        """All five rounds; the clients in `lost` are silent from LOST_ROUND on."""
        frames: Frames = [(u, None) for u in self.ids]
        try:
            for round in range(len(ROUNDS)):
                heard = ((u, f) for u, f in frames if round < LOST_ROUND or u not in lost)
                self.server_cpu.append(0.0)
                while batch := self._timed(list, islice(heard, self.batch)):
                    replies = self._exchange(batch)
                    self._timed(self._receive, replies)
                frames = wire.encode_all(self._timed(self.server.close_round))
        finally:  # a session without a sum too: the clients' process waits for the next word
            self.pipe.send(None)
            self.process.join()
        return self.server.result

    def _timed(self, work: Callable[..., T], *args: object) -> T:
        """The server's work, its CPU seconds added to the round's."""
        start, wall = process_time(), perf_counter()
        result = work(*args)
        self.server_cpu[-1] += process_time() - start
        self.server_wall += perf_counter() - wall
        return result

    def _receive(self, replies: dict[int, bytes]) -> None:
        for u, reply in replies.items():
            self.server.receive(u, reply)

    def _exchange(self, batch: list[tuple[int, bytes | None]]) -> dict[int, bytes]:
        """Frames to clients, and their replies."""
        self.pipe.send(batch)
        replies: dict[int, bytes] = {}
        for (u, frame), (reply, seconds) in zip(batch, self.pipe.recv(), strict=True):
            replies[u] = reply
            self.client_cpu[u].append(seconds)
            self.down[u] += len(frame or b"")
            self.up[u] += len(reply)
        return replies


def parameters(
    n: int, d: int, bits: int, graph: str, suite: secagg.Suite = "aes128-ctr"
) -> secagg.Params:
    """The complete graph, or the sparse one for 5 % corrupt clients and 10 % drop-outs."""
    vectors = [secagg.VectorSpec("update", d, bits)]
    if graph == "complete":
        return secagg.Params(n, vectors, suite=suite)
    return secagg.Params.choose(n, vectors, corrupt=0.05, dropout=0.1, graph="harary", suite=suite)


def pool_of(workers: int, stack: ExitStack) -> Executor | None:
    """So many processes, started and with everything imported; None for none."""
    if not workers:
        return None
    context = get_context("spawn")
    pool = stack.enter_context(ProcessPoolExecutor(workers, mp_context=context))
    list(pool.map(_import, range(8 * workers)))
    return pool


def _import(_: int) -> None:
    sleep(0.05)  # long enough for every worker to take one, and so to have imported this


def measure(params: secagg.Params, drop: float, workers: int = 0) -> dict:
    """The costs of one session, its sum checked."""
    n, spec = params.n, params.vectors[0]
    before = floor.units()
    lost = set(range(round(drop * n)))
    cold = set(range(n)[-COLD:])
    with ExitStack() as stack:
        session = Session(params, cold, pool_of(workers, stack))
        result = session.play(lost)
    expected = sum(session.first_words[u] for u in result.survivors) % 2**spec.bits
    if int(result.sum[0]) != expected:
        raise SystemExit(f"wrong sum: {int(result.sum[0])}, expected {expected}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    rounds = np.array([session.client_cpu[u] for u in cold - lost])
    row = {
        "client_cpu_s": statistics.median(rounds.sum(axis=1).tolist()),
        "server_cpu_s": sum(session.server_cpu),
        "server_wall_s": session.server_wall,
        "workers": workers,
        "peak_rss_bytes": peak,
        "client_bytes_up": statistics.median(session.up[u] for u in cold - lost),
        "client_bytes_down": statistics.median(session.down[u] for u in cold - lost),
        "import_rss_bytes": session.import_rss,
        "client_cpu_s_by_round": dict(zip(ROUNDS, np.median(rounds, axis=0).tolist(), strict=True)),
        "server_cpu_s_by_round": dict(zip(ROUNDS, session.server_cpu, strict=True)),
        "n": n,
        "d": spec.length,
        "bits": spec.bits,
        "dropped": len(lost),
        "neighbours": getattr(params.graph, "k", n - 1),
        "t": params.t,
        "min_survivors": params.min_survivors,
    }
    # The machine may have slowed down meanwhile: units from before and after, in this process.
    unit = {name: (before[name] + after) / 2 for name, after in floor.units().items()}
    floors = {
        "client_floor_s": floor.client(unit, row),
        "server_floor_s": floor.server(unit, row),
    }
    return row | floors | {"units": unit}


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100, help="clients")
    parser.add_argument("--d", type=int, default=100_000, help="words of the vector")
    parser.add_argument("--bits", type=int, default=32, help="bits of a word")
    parser.add_argument("--drop", type=float, default=0.0, help="fraction lost after ShareKeys")
    parser.add_argument("--graph", choices=("complete", "harary"), default="complete")
    parser.add_argument(
        "--suite", default="aes128-ctr", help="of the masks; floors are aes128-ctr's"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes that unmask; 0: none")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    params = parameters(options.n, options.d, options.bits, options.graph, options.suite)
    costs = measure(params, options.drop, options.workers)
    for name, value in costs.items():
        print(f"{name:24}{value}")
    if options.json:
        print(json.dumps(costs))


if __name__ == "__main__":
    main()
