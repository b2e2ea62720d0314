"""CPU seconds, memory and bytes of one session: `python -m benchmarks.protocol --n 100 --json`.

The clients live in a process of their own: `peak_rss_bytes` is the server's alone.  CPU time is
taken around each call of a client or of the server, decoding and encoding of frames included;
the pipe between the two processes is outside.  Client figures are medians over COLD clients, which
are given nothing that another client of their process has already checked; the rest may reuse it,
to save the benchmark's time.  With `--json` the last line is one JSON object.
"""

import argparse
import json
import resource
import statistics
from collections import defaultdict
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import process_time

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import secagg
from benchmarks import floor
from secagg import roster, wire

ROUNDS = ("AdvertiseKeys", "ShareKeys", "MaskedInput", "ConsistencyCheck", "Unmasking")
COLD = 15  # clients that are measured
LOST_ROUND = 2  # who drops is gone after ShareKeys: the most work for the server


def serve_clients(pipe: Connection, params: secagg.Params, keys: dict[int, bytes]) -> None:
    """The clients' process: answers (u, frame, cold) with (reply, CPU seconds) until None."""
    signing = {u: Ed25519PrivateKey.from_private_bytes(raw) for u, raw in keys.items()}
    directory = secagg.Pinned({u: k.public_key().public_bytes_raw() for u, k in signing.items()})
    rng, spec = np.random.default_rng(0), params.vectors[0]
    clients: dict[int, secagg.Client] = {}
    first_words = []
    for u in keys:
        x = rng.integers(0, 2**spec.bits, spec.length, dtype=np.uint64).astype(spec.dtype)
        first_words.append(int(x[0]))
        clients[u] = secagg.Client(u, params, x, signing_key=signing[u], directory=directory)
    pipe.send(first_words)
    while (request := pipe.recv()) is not None:
        u, frame, cold = request
        if cold:
            roster._verified.cache_clear()
            roster.check_quorum.cache_clear()
        start = process_time()
        message = clients[u].start() if frame is None else clients[u].receive(frame)
        reply = wire.encode(message)
        pipe.send((reply, process_time() - start))


class Session:
    """One session against clients in another process, with every cost noted."""

    def __init__(self, params: secagg.Params) -> None:
        keys = {u: Ed25519PrivateKey.generate() for u in range(params.n)}
        directory = secagg.Pinned({u: k.public_key().public_bytes_raw() for u, k in keys.items()})
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        raw = {u: key.private_bytes_raw() for u, key in keys.items()}
        self.process = context.Process(target=serve_clients, args=(theirs, params, raw))
        self.process.start()
        self.first_words: list[int] = self.pipe.recv()
        self.import_rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        self.server = secagg.Server(params, directory=directory)
        self.ids = list(keys)
        self.client_cpu: dict[int, list[float]] = defaultdict(list)
        self.up: dict[int, int] = defaultdict(int)
        self.down: dict[int, int] = defaultdict(int)
        self.server_cpu: list[float] = []

    def play(self, lost: set[int], cold: set[int]) -> secagg.Aggregate:
        """All five rounds; the clients in `lost` are silent from LOST_ROUND on."""
        frames: Iterator[tuple[int, bytes | None]] = ((u, None) for u in self.ids)
        for round in range(len(ROUNDS)):
            start, waited = process_time(), 0.0
            for u, frame in frames:
                if round < LOST_ROUND or u not in lost:
                    waited += self._exchange(u, frame, u in cold)
            frames = wire.encode_all(self.server.close_round())
            self.server_cpu.append(process_time() - start - waited)
        self.pipe.send(None)
        self.process.join()
        return self.server.result

    def _exchange(self, u: int, frame: bytes | None, cold: bool) -> float:
        """One frame to a client and its reply to the server; CPU seconds of the pipe."""
        start = process_time()
        self.pipe.send((u, frame, cold))
        reply, seconds = self.pipe.recv()
        self.client_cpu[u].append(seconds)
        self.down[u] += len(frame or b"")
        self.up[u] += len(reply)
        waited = process_time() - start
        self.server.receive(u, reply)
        return waited


def parameters(
    n: int, d: int, bits: int, graph: str, suite: secagg.Suite = "aes128-ctr"
) -> secagg.Params:
    """The complete graph, or the sparse one for 5 % corrupt clients and 10 % drop-outs."""
    vectors = [secagg.VectorSpec("update", d, bits)]
    if graph == "complete":
        return secagg.Params(n, vectors, suite=suite)
    return secagg.Params.choose(n, vectors, corrupt=0.05, dropout=0.1, graph="harary", suite=suite)


def measure(
    n: int,
    d: int,
    bits: int,
    drop: float,
    graph: str = "complete",
    suite: secagg.Suite = "aes128-ctr",
) -> dict:
    """The costs of one session, its sum checked."""
    params = parameters(n, d, bits, graph, suite)
    before = floor.units()
    session = Session(params)
    lost = set(range(round(drop * n)))
    cold = set(range(n)[-COLD:])
    result = session.play(lost, cold)
    expected = sum(session.first_words[u] for u in result.survivors) % 2**bits
    if int(result.sum[0]) != expected:
        raise SystemExit(f"wrong sum: {int(result.sum[0])}, expected {expected}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    rounds = np.array([session.client_cpu[u] for u in cold - lost])
    row = {
        "client_cpu_s": statistics.median(rounds.sum(axis=1).tolist()),
        "server_cpu_s": sum(session.server_cpu),
        "peak_rss_bytes": peak,
        "client_bytes_up": statistics.median(session.up[u] for u in cold - lost),
        "client_bytes_down": statistics.median(session.down[u] for u in cold - lost),
        "import_rss_bytes": session.import_rss,
        "client_cpu_s_by_round": dict(zip(ROUNDS, np.median(rounds, axis=0).tolist(), strict=True)),
        "server_cpu_s_by_round": dict(zip(ROUNDS, session.server_cpu, strict=True)),
        "n": n,
        "d": d,
        "bits": bits,
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
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    costs = measure(options.n, options.d, options.bits, options.drop, options.graph, options.suite)
    for name, value in costs.items():
        print(f"{name:24}{value}")
    if options.json:
        print(json.dumps(costs))


if __name__ == "__main__":
    main()
