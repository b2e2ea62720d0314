"""Rates of the inner loops, and what limits them: `python -m benchmarks.micro`.

Masks: bytes of mask expanded and added a second, beside the bytes of AES-128-CTR of the same
library in the same loop.  Packing: bytes of packed vector a second.  Wire: a frame of 4 MB decoded,
and received by a server that checks its signature and adds it.  CPU seconds, medians.
"""

import json
import statistics
from time import process_time

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

import secagg
from benchmarks.floor import CHUNK, seconds
from secagg import masks, packing, wire
from secagg.params import VectorSpec

WIDTHS = (1, 2, 4, 8, 12, 16, 20, 24, 28, 31, 32, 33, 40, 48, 56, 63, 64)


def mask_rates(d: int, repeats: int = 7) -> dict[str, float]:
    """Bytes a second of masks on d words of 32 bits, and of AES-CTR alone, alternating."""
    words, seeds = np.zeros(d, np.uint32), [(bytes(24), 1)] * max(1, 2 * 10**6 // d)
    stream = Cipher(AES(bytes(16)), CTR(bytes(16))).encryptor()
    zeros, keystream = bytes(CHUNK), np.empty(CHUNK, np.uint8)
    mask, aes = [], []
    for _ in range(repeats):
        mask.append(seconds(lambda: masks.add_masks([words], seeds), 3, 1))
        aes.append(seconds(lambda: stream.update_into(zeros, keystream.data), 100, 1))
    return {
        "mask_bytes_per_s": words.nbytes * len(seeds) / statistics.median(mask),
        "aes_bytes_per_s": CHUNK / statistics.median(aes),
    }


def packing_rates(bits: int, count: int = 10**6) -> dict[str, float]:
    """Packed bytes a second, both ways."""
    spec = VectorSpec("x", count, bits)
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**bits - 1, count, np.uint64, endpoint=True).astype(spec.dtype)
    packed = packing.pack(spec, words)
    return {
        "pack_bytes_per_s": packed.nbytes / seconds(lambda: packing.pack(spec, words), 3),
        "unpack_bytes_per_s": packed.nbytes
        / seconds(lambda: packing.unpack(spec, count, packed), 3),
    }


def wire_rates(clients: int = 12, d: int = 10**6) -> dict[str, float]:
    """Bytes a second of masked inputs of 4 MB: decoded alone, and decoded, checked and added."""
    private_key = X25519PrivateKey.generate()
    server_key = private_key.public_key().public_bytes_raw()
    params = secagg.Params(clients, [VectorSpec("update", d, 32)], server_key=server_key)
    keys = {u: Ed25519PrivateKey.generate() for u in range(clients)}
    directory = secagg.Pinned({u: k.public_key().public_bytes_raw() for u, k in keys.items()})
    server = secagg.Server(params, directory=directory, private_key=private_key)
    parties = {
        u: secagg.Client(u, params, np.zeros(d, np.uint32), signing_key=key, directory=directory)
        for u, key in keys.items()
    }
    frames = {u: wire.encode(client.start()) for u, client in parties.items()}
    for _ in range(2):
        for u, frame in frames.items():
            server.receive(u, frame)
        outbox = server.close_round()
        frames = {u: wire.encode(parties[u].receive(message)) for u, message in outbox.items()}
    received = []
    for u, frame in frames.items():
        start = process_time()
        server.receive(u, frame)
        received.append(process_time() - start)
    return {
        "decode_bytes_per_s": len(frame) / seconds(lambda: wire.decode(frame), 20),
        "decode_and_receive_bytes_per_s": len(frame) / statistics.median(received),
    }


def measure() -> dict:
    """Everything of this module."""
    return {
        "mask": {d: mask_rates(d) for d in (1000, 10_000, 100_000, 1_000_000)},
        "packing": {bits: packing_rates(bits) for bits in WIDTHS},
        "wire": wire_rates(),
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
