"""CPU seconds, memory and bytes of one session: `python -m benchmarks.protocol --n 100 --json`.

The clients live in a process of their own: `peak_rss_bytes` is the server's alone.  CPU time is
taken around each call of a client or of the server, decoding and encoding of frames included;
the pipe between the two processes is outside.  With `--json` the last line is one JSON object.
"""

import argparse
import json
import resource
import statistics
from collections import defaultdict
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import process_time

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import secagg
from secagg import wire

ROUNDS = ("AdvertiseKeys", "ShareKeys", "MaskedInput", "ConsistencyCheck", "Unmasking")
LOST_ROUND = 2  # who drops is gone after ShareKeys: the most work for the server


def serve_clients(pipe: Connection, params: secagg.Params, keys: dict[int, bytes]) -> None:
    """The clients' process: answers (u, frame) with (reply, CPU seconds) until told None."""
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
        u, frame = request
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
        self.client_cpu: dict[int, list[float]] = {u: [] for u in keys}
        self.up: dict[int, int] = defaultdict(int)
        self.down: dict[int, int] = defaultdict(int)
        self.server_cpu: list[float] = []

    def play(self, lost: set[int]) -> secagg.Aggregate:
        """All five rounds; the clients in `lost` are silent from LOST_ROUND on."""
        outbox: dict = dict.fromkeys(self.client_cpu)
        for round in range(len(ROUNDS)):
            here = {u: m for u, m in outbox.items() if round < LOST_ROUND or u not in lost}
            self.server_cpu.append(sum(self._exchange(u, here[u]) for u in here))
            start = process_time()
            outbox = self.server.close_round()
            self.server_cpu[-1] += process_time() - start
        self.pipe.send(None)
        self.process.join()
        return self.server.result

    def _exchange(self, u: int, message: object) -> float:
        """One message to a client and its reply to the server, whose CPU seconds this returns."""
        start = process_time()
        frame = None if message is None else wire.encode(message)
        seconds = process_time() - start
        self.down[u] += len(frame or b"")
        self.pipe.send((u, frame))
        reply, client_seconds = self.pipe.recv()
        self.client_cpu[u].append(client_seconds)
        self.up[u] += len(reply)
        start = process_time()
        self.server.receive(u, reply)
        return seconds + process_time() - start


def measure(n: int, d: int, bits: int, drop: float) -> dict:
    """The costs of one session on the complete graph, its sum checked."""
    params = secagg.Params(n, [secagg.VectorSpec("update", d, bits)])
    session = Session(params)
    lost = set(range(round(drop * n)))
    result = session.play(lost)
    expected = sum(session.first_words[u] for u in result.survivors) % 2**bits
    if int(result.sum[0]) != expected:
        raise SystemExit(f"wrong sum: {int(result.sum[0])}, expected {expected}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    whole = [u for u in result.survivors if u not in result.dropped]
    rounds = np.array([session.client_cpu[u] for u in whole])
    return {
        "client_cpu_s": statistics.median(rounds.sum(axis=1).tolist()),
        "server_cpu_s": sum(session.server_cpu),
        "peak_rss_bytes": peak,
        "client_bytes_up": statistics.median(session.up[u] for u in whole),
        "client_bytes_down": statistics.median(session.down[u] for u in whole),
        "import_rss_bytes": session.import_rss,
        "client_cpu_s_by_round": dict(zip(ROUNDS, np.median(rounds, axis=0).tolist(), strict=True)),
        "server_cpu_s_by_round": dict(zip(ROUNDS, session.server_cpu, strict=True)),
        "n": n,
        "d": d,
        "bits": bits,
        "dropped": len(lost),
        "t": params.t,
    }


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100, help="clients")
    parser.add_argument("--d", type=int, default=100_000, help="words of the vector")
    parser.add_argument("--bits", type=int, default=32, help="bits of a word")
    parser.add_argument("--drop", type=float, default=0.0, help="fraction lost after ShareKeys")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    costs = measure(options.n, options.d, options.bits, options.drop)
    for name, value in costs.items():
        print(f"{name:24}{value}")
    if options.json:
        print(json.dumps(costs))


if __name__ == "__main__":
    main()
