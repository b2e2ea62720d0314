"""Writes tests/vectors/*.json, the known answers of the byte-level specification.

    python -m tests.secagg.make_vectors

A change of any value here is a change of the protocol: it needs another VERSION.  `test_vectors`
checks that the files are what this module writes, and most of them a second time without `secagg`.
Bytes are in hex, client ids are numbers below 2^63 and need a JSON reader with exact integers.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import secagg
from secagg import Harary, Params, Pinned, VectorSpec, keys, masks, wire
from secagg import messages as m
from secagg.ending import end_for, end_key
from secagg.identity.authority import Authority, issue
from secagg.masks.aegis import Aegis128X2
from secagg.masks.prg import CHUNK_BYTES
from secagg.packing import pack
from secagg.roster import CheckedRoster
from secagg.server_sealing import seal_for_server
from secagg.sharing import shamir
from tests.helpers import aegis
from tests.helpers.strategies import CounterRand
from tests.helpers.vectors import FOLDER

Json = dict[str, Any]


def pattern(count: int, start: int = 0) -> bytes:
    """start, start+1, ... mod 256."""
    return bytes((start + i) % 256 for i in range(count))


PARAMS_DIGEST, ROSTER_DIGEST, SECRET = pattern(32), pattern(32, 100), pattern(32, 200)
U, V = 5, 2**63 - 1
SERVER_KEY = X25519PrivateKey.from_private_bytes(pattern(32, 40))
SERVER_PUBLIC = SERVER_KEY.public_key().public_bytes_raw()


def derivations() -> Json:
    """framed, SHA-256 and HKDF under a label, AES-GCM of shares in both rounds, a signature."""
    binding = keys.Transcript(PARAMS_DIGEST, ROSTER_DIGEST)
    nonce, plaintext, e_sk = pattern(12), pattern(84, 50), pattern(32, 60)
    identity = Ed25519PrivateKey.from_private_bytes(pattern(32, 7))
    body = keys.body_digest(b"first part", b"", b"last part")
    both = {"u": U, "v": V, "shared": SECRET.hex()}
    directory = {U: identity.public_key().public_bytes_raw()}
    directory[V] = Ed25519PrivateKey.from_private_bytes(pattern(32, 8)).public_key()
    directory[V] = directory[V].public_bytes_raw()
    ca = Ed25519PrivateKey.from_private_bytes(pattern(32, 9))
    ca_public_key, certificate = ca.public_key().public_bytes_raw(), issue(ca, U, directory[U])
    entry = m.AdvertiseKeys(
        U, pattern(32, 1), pattern(32, 2), pattern(32, 3), certificate, bytes(64)
    )
    other = m.AdvertiseKeys(V, pattern(32, 4), pattern(32, 5), pattern(32, 6), b"", bytes(64))
    labels = [value for value in vars(keys).values() if type(value) is bytes]
    return {
        "labels": [label.decode() for label in labels],
        "params_digest": PARAMS_DIGEST.hex(),
        "roster_digest": ROSTER_DIGEST.hex(),
        "framed": [
            {"parts": [part.hex() for part in parts], "bytes": keys.framed(*parts).hex()}
            for parts in ((), (b"",), (b"ab", b"c"), (b"a", b"bc"))
        ],
        "commitment": {
            "u": U,
            "b_u": SECRET.hex(),
            "commitment": binding.commitment(U, SECRET).hex(),
        },
        "pairwise_seed": {**both, "seed": binding.pairwise_seed(SECRET, U, V).hex()},
        "self_seed": {"u": U, "b_u": SECRET.hex(), "seed": binding.self_seed(SECRET, U).hex()},
        "share_encryption": [
            {
                "sender": sender,
                "receiver": receiver,
                "shared": SECRET.hex(),
                "nonce": nonce.hex(),
                "plaintext": plaintext.hex(),
                "associated_data": binding.associated_data(sender, receiver).hex(),
                "ciphertext": binding.aead(SECRET, sender, receiver)
                .encrypt(nonce, plaintext, binding.associated_data(sender, receiver))
                .hex(),
            }
            for sender, receiver in ((U, V), (V, U))
        ],
        "unmasking_encryption": {
            "u": U,
            "server_private_key": pattern(32, 40).hex(),
            "e_sk": e_sk.hex(),
            "shares": plaintext.hex(),
            "sealed": bytes(
                seal_for_server(binding, SERVER_PUBLIC, U, plaintext, lambda _: e_sk)
            ).hex(),
        },
        "session_end": {
            "u": U,
            "server_private_key": pattern(32, 40).hex(),
            "c_sk": e_sk.hex(),
            "tags": {
                str(summed).lower(): end_for(
                    end_key(
                        keys.Transcript(PARAMS_DIGEST),
                        X25519PrivateKey.from_private_bytes(e_sk),
                        SERVER_PUBLIC,
                        U,
                        X25519PrivateKey.from_private_bytes(e_sk).public_key().public_bytes_raw(),
                    ),
                    summed,
                ).tag.hex()
                for summed in (True, False)
            },
        },
        "received": {
            "senders": [U, V],
            "ciphertexts": plaintext.hex(),
            "digest": m.Ciphertexts((U, V), memoryview(plaintext)).digest().hex(),
        },
        "body": {"parts": ["first part", "", "last part"], "digest": body.hex()},
        "signature": {
            "signing_key": pattern(32, 7).hex(),
            "round": 3,
            "u": U,
            "body": body.hex(),
            "signature": binding.sign(identity, 3, U, body).hex(),
        },
        "directory": {
            "keys": {str(u): key.hex() for u, key in directory.items()},
            "digest": Pinned(directory).digest.hex(),
        },
        "authority": {
            "signing_key": pattern(32, 9).hex(),
            "ca_public_key": ca_public_key.hex(),
            "digest": Authority(ca_public_key).digest.hex(),
            "u": U,
            "key": directory[U].hex(),
            "certificate": certificate.hex(),
        },
        "roster": {
            "entries": [
                {"u": e.u}
                | {
                    name: getattr(e, name).hex()
                    for name in ("c_pk", "s_pk", "commitment", "certificate")
                }
                for e in (entry, other)
            ],
            "digest": CheckedRoster(m.Roster.of((entry, other)), secagg.Pinned({})).digest.hex(),
        },
    }


def describe(params: Params) -> Json:
    """Every field of a session's parameters."""
    return {
        "n": params.n,
        "vectors": [{"name": s.name, "length": s.length, "bits": s.bits} for s in params.vectors],
        "t": params.t,
        "corrupt": params.corrupt,
        "min_roster": params.min_roster,
        "min_survivors": params.min_survivors,
        "graph": {"kind": type(params.graph).__name__, **asdict(params.graph)},
        "session": params.session.hex(),
        "server_key": params.server_key.hex(),
        "context": params.context.hex(),
    }


def params() -> Json:
    """The params digest, complete and sparse."""
    vectors = [VectorSpec("update", 1000, 24), VectorSpec("Σ counts", 3, 64)]
    cases = [
        Params(10, vectors[:1], session=bytes(16)),
        Params(10, vectors, session=pattern(16), server_key=SERVER_PUBLIC, context=pattern(32)),
        Params(1000, vectors, t=140, corrupt=50, graph=Harary(154), session=pattern(20)),
    ]
    return {
        "version": keys.VERSION,
        "directory_digest": pattern(32, 9).hex(),
        "cases": [{**describe(p), "digest": p.digest(pattern(32, 9)).hex()} for p in cases],
    }


def masking() -> Json:
    """The first words of masks, and where the keystream goes on."""
    seed = pattern(masks.SEED_BYTES)
    cases = [(dtype, index) for dtype in ("<u1", "<u2", "<u4", "<u8") for index in (0, 1, 70000)]
    long = masks.expand(seed, 300_000, "<u1").tobytes()
    return {
        "seed": seed.hex(),
        "cases": [
            {
                "bits": 8 * np.dtype(dtype).itemsize,
                "index": index,
                "words": masks.expand(seed, 5, dtype, index=index).tolist(),
            }
            for dtype, index in cases
        ],
        "long": {"index": 0, "bytes": len(long), "last_block": long[-16:].hex()},
    }


def aegis128x2() -> Json:
    """The suite aegis128x2: its params digest, its masks, and where the second chunk begins."""
    with aegis.stand_in():  # `test_aegis` compares with the package
        agreed = Params(10, [VectorSpec("update", 1000, 24)], session=bytes(16), suite="aegis128x2")
        seed, prg = pattern(masks.SEED_BYTES), Aegis128X2()
        long = masks.expand(seed, CHUNK_BYTES + 32, "<u1", index=1, prg=prg)
        return {
            "params": {**describe(agreed), "digest": agreed.digest(pattern(32, 9)).hex()},
            "directory_digest": pattern(32, 9).hex(),
            "seed": seed.hex(),
            "cases": [
                {
                    "bits": 8 * np.dtype(dtype).itemsize,
                    "index": index,
                    "words": masks.expand(seed, 20, dtype, index=index, prg=prg).tolist(),
                }
                for dtype in ("<u1", "<u2", "<u4", "<u8")
                for index in (0, 1, 70000)
            ],
            "long": {"index": 1, "bytes": len(long), "last_64_bytes": long[-64:].tobytes().hex()},
        }


def shares() -> Json:
    """Shamir's sharing from given coefficients, and shares that are none."""
    cases = []
    for secret in (bytes(32), b"\xff" * 32, SECRET):
        xs, t = np.array([1, 2, 7, 65520]), 3
        drawn = CounterRand(secret)(2 * t * shamir.DIGITS)
        dealt = shamir.split([secret], t, xs, CounterRand(secret))
        cases.append(
            {
                "secret": secret.hex(),
                "digits": shamir.to_digits(secret),
                "t": t,
                "rand": drawn.hex(),
                "shares": {
                    str(x): shamir.encode_shares(dealt[i]).tobytes().hex()
                    for i, x in enumerate(xs.tolist())
                },
            }
        )
    return {
        "p": shamir.P,
        "cases": cases,
        "refused": [
            {"why": "digit 65521 is p", "share": (bytes(32) + b"\xf1\xff").hex()},
            {"why": "digit 65535", "share": (b"\xff\xff" + bytes(32)).hex()},
        ],
    }


def packing() -> Json:
    """Words as bit strings, and bit strings that are no vector."""
    cases = []
    for bits in (1, 8, 13, 24, 32, 33, 64):
        words = [(0x0123456789ABCDEF * (i + 1) + i) % 2**bits for i in range(5)]
        spec = VectorSpec("x", 5, bits)
        packed = bytes(pack(spec, np.array(words, spec.dtype)))
        cases.append({"bits": bits, "words": words, "packed": packed.hex()})
    return {
        "cases": cases,
        "refused": [
            {"why": "a padding bit", "bits": 13, "count": 3, "packed": "014000fcff"},
            {"why": "a byte too few", "bits": 13, "count": 3, "packed": "014000fc"},
            {"why": "a byte too many", "bits": 13, "count": 3, "packed": "014000fc7f00"},
        ],
    }


def graphs() -> Json:
    """N(u) ∪ {u} on the ring of a roster."""
    return {
        "roster_digest": ROSTER_DIGEST.hex(),
        "cases": [
            {"m": m, "k": k, "rows": Harary(k).rows(ROSTER_DIGEST, m).tolist()}
            for m, k in ((5, 2), (5, 4), (12, 4))
        ],
    }


def frames() -> Json:
    """One frame of each message, and frames that are none."""
    key, signature = pattern(32), pattern(64)
    hello = m.AdvertiseKeys(U, key, pattern(32, 32), pattern(32, 64), b"", signature)
    certified = m.AdvertiseKeys(V, key, key, key, pattern(96), signature)
    good: list[m.AnyMessage] = [
        hello,
        certified,
        m.Roster.of((hello, m.AdvertiseKeys(V, key, key, key, b"", signature))),
        m.Roster.of((certified,)),
        m.ShareKeys(300, memoryview(pattern(112)), signature),
        m.Ciphertexts((0, 127, 128, 65536, V), memoryview(b"sealed")),
        m.MaskedInput(U, (memoryview(pattern(7)), memoryview(b"")), (1, 2), signature),
        m.Survivors(tuple(range(17))),
        m.ConsistencyCheck(2**32, signature),
        m.Signatures.of((1, 2), (signature, bytes(64))),
        m.Unmasking(U, memoryview(pattern(82)), signature),
        m.SessionEnd(True, pattern(32)),
    ]
    sign, bin32 = "c440" + signature.hex(), "c420" + key.hex()
    bad = [
        ("empty", ""),
        ("no message behind the version", "02"),
        ("version 0", "009205" + "90"),
        ("version 1", "019205" + "90"),
        ("version 2", "029205" + "90"),
        ("tag 10 is no message", "03920a" + "90"),
        ("the tag in two bytes", "0392cc05" + "90"),
        ("one array element too few", "0391" + "05"),
        ("one array element too many", "039305" + "90c0"),
        ("a byte behind the message", "03920590" + "00"),
        ("truncated", "03920592" + "01"),
        ("the array length in three bytes", "02dc000205" + "90"),
        ("the list length in five bytes", "039205dd00000001" + "07"),
        ("an id in two bytes instead of one", "03920591" + "cc07"),
        ("an id as int16 instead of uint16", "03920591" + "d1012c"),
        ("an id as int64", "03920591" + "d3" + (300).to_bytes(8, "big").hex()),
        ("an id as float", "03920591" + "cb4072c00000000000"),
        ("an id that is negative", "03920591" + "ff"),
        ("the id 2^63", "03920591" + "cf8000000000000000"),
        ("an id that is true", "03920591" + "c3"),
        ("the length of bytes in two bytes", "03930607" + "c50040" + signature.hex()),
        ("bytes as a string", "03930607" + "d940" + bytes(64).hex()),
        ("a certificate of 97 bytes", "029700" + "05" + 3 * bin32 + "c461" + "00" * 97 + sign),
        ("a signature of 63 bytes", "03930607" + "c43f" + signature[1:].hex()),
        ("nil for an id", "039306c0" + sign),
        ("a map", "028105" + "90"),
        ("only a number", "0205"),
        ("nesting", "02" + "91" * 40),
        ("a length that the frame does not have", "039205" + "ddffffffff"),
        ("a survivors list inside a roster", "03920191" + "920590"),
    ]
    return {
        "frames": [
            {"message": type(message).__name__, "frame": wire.encode(message).hex()}
            for message in good
        ],
        "refused": [{"why": why, "frame": frame} for why, frame in bad],
    }


def session() -> Json:
    """A whole session of three clients, one of which is gone from round 2 on.

    `rand` lists what was drawn, in order: in round 0 of each client c_sk, s_sk and b_u; in round 1
    the coefficients, then a nonce for each neighbour; in round 4 the ephemeral key.
    """
    drawn: list[str] = []
    source = CounterRand(b"secagg test vector")

    def rand(count: int) -> bytes:
        drawn.append(source(count).hex())
        return bytes.fromhex(drawn[-1])

    transcript: list[Json] = []

    def link(sender: int | None, receiver: int | None, frame: bytes) -> bytes:
        transcript.append({"from": sender, "to": receiver, "frame": frame.hex()})
        return frame

    specs = [VectorSpec("x", 3, 13), VectorSpec("count", 1, 64)]
    agreed = Params(
        3, specs, t=2, session=pattern(16), server_key=SERVER_PUBLIC, context=pattern(32)
    )
    inputs = {
        u: {"x": np.array(x, "<u2"), "count": np.array([c], "<u8")}
        for u, x, c in ((V, [1, 2, 8191], 2**64 - 1), (U, [10, 20, 8000], 3), (0, [7, 7, 7], 7))
    }
    signing_keys = {u: pattern(32, 10 * i) for i, u in enumerate(inputs)}
    result = secagg.run(
        agreed,
        inputs,
        drop={0: 2},
        signing_keys={u: Ed25519PrivateKey.from_private_bytes(k) for u, k in signing_keys.items()},
        rand=rand,
        link=link,
        private_key=SERVER_KEY,
    )
    return {
        "params": describe(agreed),
        "server_private_key": pattern(32, 40).hex(),
        "signing_keys": {str(u): key.hex() for u, key in signing_keys.items()},
        "inputs": {
            str(u): {name: x.tolist() for name, x in vectors.items()}
            for u, vectors in inputs.items()
        },
        "drop": {"0": 2},
        "rand": drawn,
        "transcript": transcript,
        "vectors": {name: total.tolist() for name, total in result.vectors.items()},
        "survivors": list(result.survivors),
        "dropped": {str(u): round for u, round in result.dropped.items()},
    }


FILES: dict[str, Callable[[], Json]] = {
    "derivations": derivations,
    "params": params,
    "masks": masking,
    "aegis128x2": aegis128x2,
    "shares": shares,
    "packing": packing,
    "graphs": graphs,
    "frames": frames,
    "session": session,
}


def text(make: Callable[[], Json]) -> str:
    """A file's content: what it is, then the values."""
    about = " ".join((make.__doc__ or "").split())
    return json.dumps({"about": about, **make()}, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Rewrite every file."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in FILES.items():
        (FOLDER / f"{name}.json").write_text(text(make), encoding="utf-8")


if __name__ == "__main__":
    main()
