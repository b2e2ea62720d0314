"""What the primitives of a session cost alone: `python -m benchmarks.floor`.

    mask    derive + B·(aes + add)
    client  (n + min_survivors)·verify + 2(k+1)·(exchange + derive + seal) + (k+1)·mask
    server  (2n + 3S)·verify + (S + P)·mask + (S + P)·exchange + S·B·(sha + add) + n·k·C·sha

k neighbours, C bytes of a ciphertext, S survivors, P edges from clients that dropped after
ShareKeys to survivors, B bytes of vector.  Units are CPU seconds of the library calls with
everything prepared: keys parsed, no framing, no encoding, the words to add in the cache.  No
program that uses these libraries is below.
"""

import hashlib
import json
import statistics
from collections.abc import Callable
from time import process_time

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from secagg.messages import CIPHERTEXT_BYTES

CHUNK = 2**18


def seconds(work: Callable[[], object], calls: int, repeats: int = 5) -> float:
    """CPU seconds of one call: the median of `repeats` loops."""
    loops = []
    for _ in range(repeats):
        start = process_time()
        for _ in range(calls):
            work()
        loops.append((process_time() - start) / calls)
    return statistics.median(loops)


def units() -> dict[str, float]:
    """CPU seconds: of one call, or of a byte where the name ends in _byte."""
    mine, peer = X25519PrivateKey.generate(), X25519PrivateKey.generate().public_key()
    signer = Ed25519PrivateKey.generate()
    identity, signature = signer.public_key(), signer.sign(bytes(200))
    sealer, data = AESGCM(bytes(16)), bytes(84)
    stream = Cipher(AES(bytes(16)), CTR(bytes(16))).encryptor()
    zeros, keystream = bytes(CHUNK), np.empty(CHUNK, np.uint8)
    words = np.zeros(CHUNK // 4, np.uint32)
    return {
        "exchange": seconds(lambda: mine.exchange(peer), 200),
        "verify": seconds(lambda: identity.verify(signature, bytes(200)), 100),
        "derive": seconds(
            lambda: HKDF(SHA256(), 24, salt=None, info=bytes(140)).derive(bytes(32)), 500
        ),
        "seal": seconds(lambda: sealer.encrypt(bytes(12), data, data), 500),
        "aes_byte": seconds(lambda: stream.update_into(zeros, keystream.data), 200) / CHUNK,
        "sha_byte": seconds(lambda: hashlib.sha256(zeros).digest(), 20) / CHUNK,
        "add_byte": seconds(lambda: np.add(words, words, out=words), 500) / CHUNK,
    }


def client(unit: dict[str, float], row: dict) -> float:
    """CPU seconds of the primitives of one client of a session (a row of benchmarks.protocol)."""
    k = row["neighbours"]
    return (
        (row["n"] + row["min_survivors"]) * unit["verify"]
        + 2 * (k + 1) * (unit["exchange"] + unit["derive"] + unit["seal"])
        + (k + 1) * _mask(unit, row)
    )


def server(unit: dict[str, float], row: dict) -> float:
    """CPU seconds of the primitives of the server; P is its mean where the graph is sparse."""
    n = row["n"]
    survivors = n - row["dropped"]
    pairs = row["dropped"] * row["neighbours"] * survivors / (n - 1)
    return (
        (2 * n + 3 * survivors) * unit["verify"]
        + (survivors + pairs) * _mask(unit, row)
        + (pairs + survivors) * unit["exchange"]
        + n * row["neighbours"] * CIPHERTEXT_BYTES * unit["sha_byte"]
        + survivors * _vector_bytes(row) * (unit["sha_byte"] + unit["add_byte"])
    )


def _mask(unit: dict[str, float], row: dict) -> float:
    return unit["derive"] + _vector_bytes(row) * (unit["aes_byte"] + unit["add_byte"])


def _vector_bytes(row: dict) -> int:
    width = next(w for w in (8, 16, 32, 64) if w >= row["bits"])
    return (row["d"] + 1) * width // 8


if __name__ == "__main__":
    print(json.dumps(units()))
