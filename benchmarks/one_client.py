"""One client among n on the sparse graph: `python -m benchmarks.one_client --n 10000`.

    masking = 2k·(exchange + derive) + k·open + (k+1)·mask      roster = n·verify + decoding

Everybody else signs what a roster needs, and only the client's k neighbours deal shares, so that n
may be large.  What the client does is complete: its frames are those of a session of n clients in
which nobody drops.  CPU seconds, medians over a few clients.
"""

import argparse
import json
import statistics
from dataclasses import dataclass
from time import process_time

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import secagg
from secagg import messages, wire
from secagg.keys import Transcript
from secagg.messages import CIPHERTEXT_BYTES
from secagg.roster import SignatureChecks, check_roster, identity_keys
from secagg.simulation.checks import RememberedChecks


class RememberedRoster(RememberedChecks):
    """Every client checks the quorum itself; the roster is timed apart."""

    quorum = SignatureChecks.quorum


@dataclass
class Crowd:
    """n clients, of which only the advertisement and the signature of U3 are made."""

    params: secagg.Params
    keys: dict[int, Ed25519PrivateKey]
    directory: secagg.Pinned
    checks: SignatureChecks

    @classmethod
    def of(cls, n: int, d: int) -> "Crowd":
        """The parameters for 5 % corrupt clients and 5 % drop-outs."""
        vectors = [secagg.VectorSpec("update", d, 32)]
        server_key = X25519PrivateKey.generate().public_key().public_bytes_raw()
        params = secagg.Params.choose(
            n, vectors, corrupt=0.05, dropout=0.05, graph="harary", server_key=server_key
        )
        keys = {u: Ed25519PrivateKey.generate() for u in range(n)}
        public = {u: key.public_key().public_bytes_raw() for u, key in keys.items()}
        return cls(params, keys, secagg.Pinned(public), RememberedRoster())

    def client(self, u: int) -> secagg.Client:
        """A real client."""
        x = np.zeros(self.params.vectors[0].length, np.uint32)
        return secagg.Client(
            u,
            self.params,
            x,
            signing_key=self.keys[u],
            directory=self.directory,
            checks=self.checks,
        )

    @property
    def transcript(self) -> Transcript:
        """Of round 0."""
        return Transcript(self.params.digest(self.directory.digest))

    def signatures(self, roster_digest: bytes) -> messages.Signatures:
        """The quorum's."""
        U3 = tuple(self.keys)
        body = messages.ConsistencyCheck.body(U3)
        transcript = self.transcript.with_roster(roster_digest)
        signers = U3[: self.params.min_survivors]
        return messages.Signatures(
            signers, tuple(transcript.sign(self.keys[v], 3, v, body) for v in signers)
        )


def measure(n: int, d: int, samples: int = 5) -> dict:
    """CPU seconds of a client in a session of n."""
    crowd = Crowd.of(n, d)
    clients = {u: crowd.client(u) for u in crowd.keys}
    message = messages.Roster(tuple(client.start() for client in clients.values()))
    frame, transcript = wire.encode(message), crowd.transcript
    checking = []
    for u in range(samples):
        start = process_time()
        decoded = wire.decode(frame)
        check_roster(decoded, message.entries[u], crowd.params)
        keys = identity_keys(decoded.entries, crowd.directory)
        U1 = SignatureChecks().roster(decoded.entries, keys, transcript)
        checking.append(process_time() - start)
    rows = crowd.params.graph.rows(U1.digest, n)
    dealt: dict[int, messages.ShareKeys] = {}
    needed = sorted(set(rows[:samples].ravel().tolist()))
    sharing = []
    for v in needed:
        start = process_time()
        dealt[v] = clients[v].receive(decoded)
        sharing.append(process_time() - start)
    quorum = wire.encode(crowd.signatures(U1.digest))
    survivors = wire.encode(messages.Survivors(tuple(crowd.keys)))
    masking, consistency, unmasking = [], [], []
    for u in range(samples):
        sealed = [(v, rows[v][rows[v] != v].tolist().index(u)) for v in rows[u].tolist() if v != u]
        parts = [
            bytes(dealt[v].ciphertexts[i * CIPHERTEXT_BYTES : (i + 1) * CIPHERTEXT_BYTES])
            for v, i in sealed
        ]
        sent = wire.encode(
            messages.Ciphertexts(tuple(v for v, _ in sealed), memoryview(b"".join(parts)))
        )
        for costs, request in ((masking, sent), (consistency, survivors), (unmasking, quorum)):
            start = process_time()
            reply = clients[u].receive(request)
            costs.append(process_time() - start)
        if not isinstance(reply, messages.Unmasking):
            raise SystemExit("the client did not finish")
    return {
        "n": n,
        "d": d,
        "k": crowd.params.graph.k,
        "t": crowd.params.t,
        "roster_s": statistics.median(checking),
        "share_s": statistics.median(sharing),
        "mask_s": statistics.median(masking),
        "consistency_s": statistics.median(consistency),
        "quorum_s": statistics.median(unmasking),
        "roster_frame_bytes": len(frame),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1000, help="clients")
    parser.add_argument("--d", type=int, default=1000, help="words of the vector")
    options = parser.parse_args()
    print(json.dumps(measure(options.n, options.d)))
