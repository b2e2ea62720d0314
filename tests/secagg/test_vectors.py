"""The known answers are what the code gives, and what a second reading of the specification gives.

The second reading uses hashlib, hmac and Python's integers, and `cryptography` for the ciphers: no
function of `secagg` makes a value that it checks.
"""

import hashlib
import hmac
from typing import Any

import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

import secagg
from secagg import DecodeError, Params, RemoteProtocolError, VectorSpec, wire
from secagg.packing import unpack
from secagg.sharing.shamir import combine, decode_shares
from tests.helpers.aegis import encrypted
from tests.helpers.vectors import FOLDER, load
from tests.secagg.make_vectors import FILES, text


def raw(value: str) -> bytes:
    return bytes.fromhex(value)


def le(number: int) -> bytes:
    return number.to_bytes(8, "little")


def framed(*parts: bytes) -> bytes:
    return b"".join(le(len(part)) + part for part in parts)


def labelled(label: str, *parts: bytes) -> str:
    return hashlib.sha256(framed(b"secagg/v1/" + label.encode(), *parts)).hexdigest()


def hkdf(secret: bytes, length: int, info: bytes) -> bytes:
    """RFC 5869 with SHA-256 and no salt, one block of output."""
    extracted = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")[:length]


def mask_block(seed: bytes, index: int, number: int) -> bytes:
    """16 bytes of a mask's keystream."""
    counter = seed[16:] + index.to_bytes(3, "big") + number.to_bytes(5, "big")
    return Cipher(AES(seed[:16]), ECB()).encryptor().update(counter)


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_what_the_code_gives(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == text(FILES[name]), (
        "the protocol has changed: another VERSION, then python -m tests.secagg.make_vectors"
    )


def test_there_are_no_other_files() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(FILES)


def test_labels_are_distinct_and_of_this_version() -> None:
    labels = load("derivations")["labels"]
    assert len(set(labels)) == len(labels) >= 9
    assert all(label.startswith("secagg/v1/") for label in labels)


def test_derivations() -> None:
    known = load("derivations")
    both = (raw(known["params_digest"]), raw(known["roster_digest"]))
    for case in known["framed"]:
        assert framed(*map(raw, case["parts"])).hex() == case["bytes"]

    case = known["commitment"]
    assert commitment(both[0], case["u"], raw(case["b_u"])) == case["commitment"]

    case = known["pairwise_seed"]
    info = framed(b"secagg/v1/pairwise-mask", *both, le(case["u"]), le(case["v"]))
    assert case["u"] < case["v"]
    assert hkdf(raw(case["shared"]), 24, info).hex() == case["seed"]

    case = known["self_seed"]
    info = framed(b"secagg/v1/self-mask", *both, le(case["u"]))
    assert hkdf(raw(case["b_u"]), 24, info).hex() == case["seed"]

    for case in known["share_encryption"]:
        info = framed(
            b"secagg/v1/share-encryption", *both, le(case["sender"]), le(case["receiver"])
        )
        assert info.hex() == case["associated_data"]
        cipher = AESGCM(hkdf(raw(case["shared"]), 16, info))
        sealed = cipher.encrypt(raw(case["nonce"]), raw(case["plaintext"]), info)
        assert sealed.hex() == case["ciphertext"]

    case = known["unmasking_encryption"]
    e_pk = public(raw(case["e_sk"]))
    shared = exchange(raw(case["e_sk"]), public(raw(case["server_private_key"])))
    info = framed(b"secagg/v1/unmasking-encryption", *both, le(case["u"])) + framed(e_pk)
    derived = hkdf(shared, 28, info)
    sealed = AESGCM(derived[:16]).encrypt(derived[16:], raw(case["shares"]), None)
    assert (e_pk + sealed).hex() == case["sealed"]

    case = known["session_end"]
    c_pk = public(raw(case["c_sk"]))
    shared = exchange(raw(case["c_sk"]), public(raw(case["server_private_key"])))
    label = b"secagg/v1/session-end"
    key = hkdf(shared, 32, framed(label, both[0], le(case["u"]), c_pk))
    for summed, tag in ((b"\1", case["tags"]["true"]), (b"\0", case["tags"]["false"])):
        assert hmac.digest(key, framed(label, summed), "sha256").hex() == tag

    case = known["received"]
    senders = b"".join(map(le, case["senders"]))
    assert labelled("received", senders, raw(case["ciphertexts"])) == case["digest"]

    case = known["body"]
    assert labelled("body", *(part.encode() for part in case["parts"])) == case["digest"]

    case = known["signature"]
    signed = framed(
        b"secagg/v1/signature", bytes([case["round"]]), *both, le(case["u"]), raw(case["body"])
    )
    key = Ed25519PrivateKey.from_private_bytes(raw(case["signing_key"]))
    assert key.sign(signed).hex() == case["signature"]

    case = known["directory"]
    assert directory_digest({int(u): raw(key) for u, key in case["keys"].items()}) == case["digest"]

    case = known["authority"]
    ca = Ed25519PrivateKey.from_private_bytes(raw(case["signing_key"]))
    assert ca.public_key().public_bytes_raw().hex() == case["ca_public_key"]
    assert labelled("authority", raw(case["ca_public_key"])) == case["digest"]
    statement = framed(b"secagg/v1/enrolment", le(case["u"]), raw(case["key"]))
    assert case["certificate"] == case["key"] + ca.sign(statement).hex()

    case = known["roster"]
    entries = case["entries"]
    keys = b"".join(raw(e[name]) for e in entries for name in ("c_pk", "s_pk", "commitment"))
    certificates = b"".join(raw(e["certificate"]) for e in entries)
    ids = b"".join(le(e["u"]) for e in entries)
    assert labelled("roster", ids, keys, certificates) == case["digest"]


def directory_digest(identities: dict[int, bytes]) -> str:
    return labelled("directory", *(f for u in sorted(identities) for f in (le(u), identities[u])))


def graph_part(graph: dict[str, Any]) -> bytes:
    if graph["kind"] == "Complete":
        return b"complete"
    numbers = (le(graph[name]) for name in ("k", "privacy_bits", "grinding_bits"))
    return framed(b"harary", *numbers, b"active")


def params_digest(
    case: dict[str, Any], directory_digest: bytes, stream: bytes = b"AES128-CTR"
) -> str:
    return labelled(
        "params",
        b"\x03",
        b"X25519 HKDF-SHA256 AES128-GCM Ed25519 " + stream,
        raw(case["session"]),
        *(le(case[name]) for name in ("n", "t", "corrupt", "min_roster", "min_survivors")),
        graph_part(case["graph"]),
        framed(
            *(
                framed(v["name"].encode(), le(v["length"]), bytes([v["bits"]]))
                for v in case["vectors"]
            )
        ),
        directory_digest,
        raw(case["server_key"]),
        raw(case["context"]),
    )


def test_params() -> None:
    known = load("params")
    assert known["version"] == 3
    for case in known["cases"]:
        assert params_digest(case, raw(known["directory_digest"])) == case["digest"]


def test_masks() -> None:
    known = load("masks")
    seed = raw(known["seed"])
    for case in known["cases"]:
        size = case["bits"] // 8
        stream = b"".join(mask_block(seed, case["index"], number) for number in range(3))
        words = [int.from_bytes(stream[i * size :][:size], "little") for i in range(5)]
        assert words == case["words"]
    long = known["long"]
    assert mask_block(seed, long["index"], long["bytes"] // 16 - 1).hex() == long["last_block"]


def test_the_suite_aegis128x2() -> None:
    known = load("aegis128x2")
    digest = params_digest(known["params"], raw(known["directory_digest"]), b"AEGIS128X2")
    assert digest == known["params"]["digest"]
    key, nonce = raw(known["seed"])[:16], raw(known["seed"])[16:]

    def chunk(index: int, number: int, size: int) -> bytes:
        whole = nonce + index.to_bytes(3, "big") + number.to_bytes(5, "big")
        return encrypted(key, whole, bytes(size))

    for case in known["cases"]:
        size = case["bits"] // 8
        stream = chunk(case["index"], 0, 20 * size)
        words = [int.from_bytes(stream[i * size :][:size], "little") for i in range(20)]
        assert words == case["words"]
    long = known["long"]
    assert long["bytes"] == 2**18 + 32
    ends = chunk(long["index"], 0, 2**18)[-32:] + chunk(long["index"], 1, 32)
    assert ends.hex() == long["last_64_bytes"]


def test_shares() -> None:
    known = load("shares")
    p = known["p"]
    for case in known["cases"]:
        secret, digits = int.from_bytes(raw(case["secret"]), "little"), case["digits"]
        assert sum(digit * p**d for d, digit in enumerate(digits)) == secret
        words = np.frombuffer(raw(case["rand"]), "<u2").astype(int).reshape(case["t"], 17).tolist()
        assert max(map(max, words)) < p  # none of them is rejected
        for x, share in case["shares"].items():
            values = [
                (digits[d] + sum(words[j][d] * int(x) ** j for j in range(1, case["t"]))) % p
                for d in range(17)
            ]
            assert b"".join(value.to_bytes(2, "little") for value in values).hex() == share
        xs = np.array([int(x) for x in case["shares"]])
        dealt = decode_shares(raw("".join(case["shares"].values())))
        assert combine(xs[1:], dealt[1:, None]) == [raw(case["secret"])]
    for case in known["refused"]:
        with pytest.raises(RemoteProtocolError):
            decode_shares(raw(case["share"]))


def test_packing() -> None:
    known = load("packing")
    for case in known["cases"]:
        number = sum(word << i * case["bits"] for i, word in enumerate(case["words"]))
        size = (case["bits"] * len(case["words"]) + 7) // 8
        assert number.to_bytes(size, "little").hex() == case["packed"]
    for case in known["refused"]:
        spec = VectorSpec("x", case["count"], case["bits"])
        with pytest.raises(RemoteProtocolError):
            unpack(spec, case["count"], memoryview(raw(case["packed"])))


def test_graphs() -> None:
    known = load("graphs")
    digest = raw(known["roster_digest"])
    for case in known["cases"]:
        m, half = case["m"], case["k"] // 2
        drawn = hashlib.shake_256(framed(b"secagg/v1/graph", digest)).digest(16 * m)
        ring = sorted(range(m), key=lambda i: int.from_bytes(drawn[16 * i :][:16], "big"))
        for place, i in enumerate(ring):
            near = [ring[(place + d) % m] for d in range(-half, half + 1)]
            assert case["rows"][i] == sorted(near)


def test_frames() -> None:
    known = load("frames")
    assert {case["message"] for case in known["frames"]} == {
        member.__name__ for member in (secagg.messages.AnyMessage).__args__
    }
    for case in known["frames"]:
        message = wire.decode(raw(case["frame"]))
        assert type(message).__name__ == case["message"]
        assert wire.encode(message).hex() == case["frame"]


@pytest.mark.parametrize("case", load("frames")["refused"], ids=lambda case: case["why"])
def test_frames_that_are_refused(case: dict[str, str]) -> None:
    with pytest.raises(DecodeError):
        wire.decode(raw(case["frame"]))


def test_session() -> None:
    """The recorded draws alone give the recorded frames, and the sum is that of the survivors."""
    known = load("session")
    drawn = iter(map(raw, known["rand"]))

    def rand(count: int) -> bytes:
        block = next(drawn)
        assert len(block) == count
        return block

    frames = []

    def link(sender: int | None, receiver: int | None, frame: bytes) -> bytes:
        frames.append({"from": sender, "to": receiver, "frame": frame.hex()})
        return frame

    agreed = known["params"]
    params = Params(
        agreed["n"],
        [VectorSpec(**spec) for spec in agreed["vectors"]],
        t=agreed["t"],
        corrupt=agreed["corrupt"],
        min_roster=agreed["min_roster"],
        min_survivors=agreed["min_survivors"],
        session=raw(agreed["session"]),
        server_key=raw(agreed["server_key"]),
        context=raw(agreed["context"]),
    )
    result = secagg.run(
        params,
        {
            int(u): {spec.name: np.array(vectors[spec.name], spec.dtype) for spec in params.vectors}
            for u, vectors in known["inputs"].items()
        },
        drop={int(u): round for u, round in known["drop"].items()},
        signing_keys={
            int(u): Ed25519PrivateKey.from_private_bytes(raw(key))
            for u, key in known["signing_keys"].items()
        },
        rand=rand,
        link=link,
        private_key=X25519PrivateKey.from_private_bytes(raw(known["server_private_key"])),
    )
    assert next(drawn, None) is None
    assert frames == known["transcript"]
    assert {name: total.tolist() for name, total in result.vectors.items()} == known["vectors"]

    stayed = [known["inputs"][str(u)] for u in known["survivors"]]
    for spec in params.vectors:
        columns = zip(*(vectors[spec.name] for vectors in stayed), strict=True)
        assert [sum(column) % 2**spec.bits for column in columns] == known["vectors"][spec.name]
    assert set(known["inputs"]) - {str(u) for u in known["survivors"]} == {"0"}
    assert known["dropped"] == known["drop"]


def test_the_masked_inputs_of_the_session() -> None:
    """y_u from the input and the secrets that were drawn, with nothing of `secagg`."""
    known = load("session")
    order = [int(u) for u in known["signing_keys"]]
    secrets = dict(zip(order, zip(*[map(raw, known["rand"])] * 3, strict=False), strict=False))
    sent = [
        (entry, msgspec.msgpack.decode(raw(entry["frame"])[1:])) for entry in known["transcript"]
    ]

    identities = {
        u: Ed25519PrivateKey.from_private_bytes(raw(key)).public_key().public_bytes_raw()
        for u, key in ((int(u), key) for u, key in known["signing_keys"].items())
    }
    agreed = raw(params_digest(known["params"], raw(directory_digest(identities))))

    hellos = {fields[1]: fields[2:6] for _, fields in sent if fields[0] == 0}
    for u, (c_sk, s_sk, b_u) in secrets.items():
        assert hellos[u] == [public(c_sk), public(s_sk), raw(commitment(agreed, u, b_u)), b""]
    ids = b"".join(le(u) for u in sorted(order))
    keys = b"".join(b"".join(hellos[u][:3]) for u in sorted(order))
    roster = raw(labelled("roster", ids, keys, b""))

    masked = {fields[1]: fields[2] for _, fields in sent if fields[0] == 4}
    assert sorted(masked) == known["survivors"]
    for u, packed in masked.items():
        _, s_sk, b_u = secrets[u]
        bound = (agreed, roster)
        streams = [(hkdf(b_u, 24, framed(b"secagg/v1/self-mask", *bound, le(u))), 1)]
        for v in set(order) - {u}:
            info = framed(b"secagg/v1/pairwise-mask", *bound, le(min(u, v)), le(max(u, v)))
            streams.append((hkdf(exchange(s_sk, hellos[v][1]), 24, info), 1 if v < u else -1))
        for index, spec in enumerate(known["params"]["vectors"]):
            size = 2 if spec["bits"] == 13 else 8
            words = [*known["inputs"][str(u)][spec["name"]], 1]  # the tally behind the vector
            for seed, sign in streams:
                stream = b"".join(mask_block(seed, index, number) for number in range(2))
                for i in range(len(words)):
                    words[i] += sign * int.from_bytes(stream[i * size :][:size], "little")
            number = sum(w % 2 ** spec["bits"] << i * spec["bits"] for i, w in enumerate(words))
            assert number.to_bytes(len(packed[index]), "little") == packed[index]


def public(secret: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def exchange(secret: bytes, other: bytes) -> bytes:
    mine = X25519PrivateKey.from_private_bytes(secret)
    return mine.exchange(X25519PublicKey.from_public_bytes(other))


def commitment(params_digest: bytes, u: int, b_u: bytes) -> str:
    return labelled("commitment", params_digest, le(u), b_u)
