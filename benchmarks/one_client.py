"""One client among n on the sparse graph: `python -m benchmarks.one_client --n 1000 10000`.

    client = (k + 1 + q)·verify + 2k·(exchange + derive) + k·open + (k + 1)·mask + what grows with n

Everybody else signs what a roster needs, and only the client's k neighbours deal shares, so that n
may be large.  What the client does is complete: its frames are those of a session of n clients in
which nobody drops.  CPU seconds, medians over a few clients.

`--before REV` measures the version of that commit too, in the same run: its own benchmark, in a
checkout that is removed afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import secagg
from benchmarks import pages
from secagg import messages, wire
from secagg.keys import Transcript
from secagg.messages import CIPHERTEXT_BYTES
from secagg.roster import CheckedRoster

ROUNDS = ("share_s", "mask_s", "consistency_s", "unmask_s")
BEFORE = ("roster_s", "share_s", "mask_s", "consistency_s", "quorum_s")


@dataclass
class Crowd:
    """n clients, of which only the advertisement and the signature of U3 are made."""

    params: secagg.Params
    keys: dict[int, Ed25519PrivateKey]
    directory: secagg.Pinned

    @classmethod
    def of(cls, n: int, d: int) -> Crowd:
        """The parameters for 5 % corrupt clients and 5 % drop-outs."""
        vectors = [secagg.VectorSpec("update", d, 32)]
        server_key = X25519PrivateKey.generate().public_key().public_bytes_raw()
        params = secagg.Params.choose(
            n, vectors, corrupt=0.05, dropout=0.05, graph="harary", server_key=server_key
        )
        keys = {u: Ed25519PrivateKey.generate() for u in range(n)}
        public = {u: key.public_key().public_bytes_raw() for u, key in keys.items()}
        return cls(params, keys, secagg.Pinned(public))

    def client(self, u: int) -> secagg.Client:
        """A real client."""
        x = np.zeros(self.params.vectors[0].length, np.uint32)
        return secagg.Client(u, self.params, x, signing_key=self.keys[u], directory=self.directory)

    def signatures(self, roster_digest: bytes) -> messages.Signatures:
        """Everybody's."""
        U3 = tuple(self.keys)
        body = messages.ConsistencyCheck.body(U3)
        transcript = Transcript(self.params.digest(self.directory.digest), roster_digest)
        signed = [transcript.sign(self.keys[v], 3, v, body) for v in U3]
        return messages.Signatures.of(U3, signed)


def measure(n: int, d: int, samples: int = 5) -> dict[str, float]:
    """CPU seconds of a client in a session of n, by the round that it answers."""
    crowd = Crowd.of(n, d)
    clients = {u: crowd.client(u) for u in crowd.keys}
    message = messages.Roster.of([client.start() for client in clients.values()])
    digest = CheckedRoster(message, crowd.directory).digest
    neighbourhoods = crowd.params.graph.rows(digest, n)
    frames = [wire.encode(message)]
    seconds: dict[str, list[float]] = {name: [] for name in ROUNDS}

    def answered(name: str, u: int, frame: bytes) -> messages.ClientMessage:
        start = process_time()
        reply = clients[u].receive(frame)
        seconds[name].append(process_time() - start)
        return reply

    needed = sorted(set(neighbourhoods[:samples].ravel().tolist()))
    dealt = {v: answered("share_s", v, frames[0]) for v in needed}
    frames.append(wire.encode(messages.Survivors(tuple(crowd.keys))))
    frames.append(wire.encode(crowd.signatures(digest)))
    for u in range(samples):
        answered("mask_s", u, _ciphertexts(u, neighbourhoods, dealt))
        answered("consistency_s", u, frames[1])
        if not isinstance(answered("unmask_s", u, frames[2]), messages.Unmasking):
            raise SystemExit("the client did not finish")
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    names = "roster_bytes", "survivors_bytes", "quorum_bytes"
    sizes = {name: len(frame) for name, frame in zip(names, frames, strict=True)}
    k, t = crowd.params.graph.neighbours(n), crowd.params.t
    return {"n": n, "d": d, "k": k, "t": t, **medians, "all_s": sum(medians.values()), **sizes}


def _ciphertexts(u: int, neighbourhoods: np.ndarray, dealt: dict) -> bytes:
    """What u's neighbours dealt to it."""
    senders = [v for v in neighbourhoods[u].tolist() if v != u]
    places = {v: neighbourhoods[v][neighbourhoods[v] != v].tolist().index(u) for v in senders}
    sealed = [
        bytes(dealt[v].ciphertexts[i * CIPHERTEXT_BYTES : (i + 1) * CIPHERTEXT_BYTES])
        for v, i in places.items()
    ]
    return wire.encode(messages.Ciphertexts(tuple(senders), memoryview(b"".join(sealed))))


def measured_before(folder: Path, n: int, d: int) -> float:
    """The same of the version in a checkout, by the benchmark that it has."""
    command = [sys.executable, "-m", "benchmarks.one_client", "--n", str(n), "--d", str(d)]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    run = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    found = json.loads(run.stdout)
    return found.get("all_s") or sum(found[name] for name in BEFORE)


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """That commit's files, for as long as they are needed."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "worktree", "add", "--detach", folder, revision], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", folder], check=True)


def compare(ns: list[int], d: int, revision: str) -> str:
    """A table of a client's CPU seconds, before and now, in turns."""
    rows = []
    with checkout(revision) as folder:
        for n in ns:
            before, now = measured_before(folder, n, d), measure(n, d)
            ratio, sizes = before / now["all_s"], (now["roster_bytes"], now["quorum_bytes"])
            times = [f"{before:.3f}", f"{now['all_s']:.3f}", f"{ratio:.1f}"]
            rows.append([f"{n:,}", f"{now['k']}", *times, *(f"{size:,}" for size in sizes)])
    head = ["n", "k", "before, s", "now, s", "times", "roster, bytes", "quorum, bytes"]
    return pages.table(head, rows)


def main() -> None:
    """Print a line of JSON for each n, or the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, nargs="+", default=[1000], help="clients")
    parser.add_argument("--d", type=int, default=1000, help="words of the vector")
    parser.add_argument("--before", metavar="REV", help="a commit to compare with")
    options = parser.parse_args()
    if options.before:
        print(compare(options.n, options.d, options.before))
        return
    for n in options.n:
        print(json.dumps(measure(n, options.d)), flush=True)


if __name__ == "__main__":
    main()
