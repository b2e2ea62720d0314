"""A directory holds one good key for each client, or it does not exist."""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from secagg.curve import SMALL_ORDER_Y, P
from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.identity.directory import Directory, Pinned, UnknownClient, as_directory


def key(seed: int) -> bytes:
    private = Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big"))
    return private.public_key().public_bytes_raw()


KEYS = [key(seed) for seed in range(20)]
IDS = st.integers(0, 2**63 - 1)


@st.composite
def directories(draw: st.DrawFn) -> dict[int, bytes]:
    ids = draw(st.lists(IDS, unique=True, max_size=len(KEYS)))
    return dict(zip(ids, draw(st.permutations(KEYS)), strict=False))


@given(directories(), IDS)
def test_pinned_is_the_mapping_it_was_made_from(keys: dict[int, bytes], other: int) -> None:
    pinned = Pinned(keys)
    assert dict(pinned) == keys
    assert list(pinned) == sorted(keys)
    assert (other in pinned) is (other in keys)
    assert pinned.get(other) == keys.get(other)


def test_a_change_of_the_mapping_afterwards_changes_nothing() -> None:
    keys = {1: KEYS[1], 2: KEYS[2]}
    pinned = Pinned(keys)
    keys[1] = KEYS[3]
    assert pinned[1] == KEYS[1]


def test_an_unknown_client_is_a_peer_s_error_and_a_key_error() -> None:
    for kind in (RemoteProtocolError, KeyError, UnknownClient):
        with pytest.raises(kind) as error:
            Pinned({1: KEYS[1]})[17]
        assert str(error.value) == "client 17 is not in the directory, expected one that is"
    assert (error.value.sender, error.value.about) == (None, ())


def test_a_pinned_key_is_found_without_a_certificate_and_not_beside_one() -> None:
    pinned = Pinned({1: KEYS[1]})
    assert pinned.identity(1, b"") == KEYS[1]
    with pytest.raises(RemoteProtocolError, match="client 17 is not in the directory"):
        pinned.identity(17, b"")
    for certificate in (b"\0", KEYS[1], bytes(96)):
        with pytest.raises(
            RemoteProtocolError, match=r"client 1: .* expected none: keys are pinned"
        ):
            pinned.identity(1, certificate)


def raw(number: int) -> bytes:
    return number.to_bytes(32, "little")


@pytest.mark.parametrize(
    ("u", "value", "seen"),
    [
        (-1, KEYS[1], r"client -1, expected an id that is an int in \[0, 2\^63\)"),
        (2**63, KEYS[1], f"client {2**63}, expected an id"),
        (True, KEYS[1], "client True, expected an id"),
        ("17", KEYS[1], "client '17', expected an id"),
        (17, KEYS[1][:31], "client 17: .* has 31 bytes"),
        (17, KEYS[1] + b"\0", "client 17: .* has 33 bytes"),
        (17, KEYS[1].hex(), "client 17: the key is a str, expected 32 bytes"),
        (17, bytearray(KEYS[1]), "client 17: the key is a bytearray, expected 32 bytes"),
        (17, raw(P), "client 17: .* not canonical"),
        (17, raw(P + 1 + 2**255), "client 17: .* not canonical"),
        (17, raw(2), "client 17: .* expected a point"),
        *((17, raw(y), "client 17: .* small order") for y in sorted(SMALL_ORDER_Y)),
        *((17, raw(y + 2**255), "client 17: .* small order") for y in sorted(SMALL_ORDER_Y)),
    ],
)
def test_a_bad_entry_is_refused_by_its_client_id(u: int, value: bytes, seen: str) -> None:
    with pytest.raises(LocalProtocolError, match=seen):
        Pinned({3: KEYS[3], u: value})


@given(directories().filter(bool), IDS)
def test_one_key_for_two_clients_is_refused(keys: dict[int, bytes], other: int) -> None:
    first = min(keys)
    if other in keys:
        assert Pinned(keys)
        return
    with pytest.raises(LocalProtocolError, match=f"clients {first} and {other} have the same key"):
        Pinned(keys | {other: keys[first]})


# The digest.


def test_the_digest_is_the_formula_of_the_module() -> None:
    five, many = b"\x05" + bytes(7), b"\x00\x01" + bytes(6)
    label = b"\x13" + bytes(7) + b"secagg/v1/directory"
    eight, thirty_two = b"\x08" + bytes(7), b"\x20" + bytes(7)
    body = eight + five + thirty_two + KEYS[5] + eight + many + thirty_two + KEYS[9]
    assert Pinned({256: KEYS[9], 5: KEYS[5]}).digest == hashlib.sha256(label + body).digest()


@given(directories(), directories())
def test_two_digests_are_equal_iff_the_directories_are(
    a: dict[int, bytes], b: dict[int, bytes]
) -> None:
    assert (Pinned(a).digest == Pinned(b).digest) is (a == b)
    shuffled = dict(reversed(a.items()))
    assert Pinned(shuffled).digest == Pinned(a).digest


# What Client and Server accept.


class Borrowed:
    """Somebody's own directory: a lookup and a digest, and no base class of ours."""

    digest = bytes(32)

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self.keys_by_client = keys

    def identity(self, u: int, certificate: bytes, /) -> bytes:
        return self.keys_by_client[u]


def test_a_mapping_is_pinned_and_a_directory_is_taken_as_it_is() -> None:
    keys = {1: KEYS[1], 2: KEYS[2]}
    pinned = as_directory(keys)
    assert isinstance(pinned, Pinned)
    assert pinned.digest == Pinned(keys).digest
    assert as_directory(pinned) is pinned
    own: Directory = Borrowed(keys)
    assert as_directory(own) is own


@pytest.mark.parametrize("other", [None, [KEYS[1]], 17])
def test_anything_else_is_refused(other: object) -> None:
    with pytest.raises(LocalProtocolError, match=f"that is a {type(other).__name__}, expected"):
        as_directory(other)  # type: ignore[arg-type]


# Files.


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_a_saved_directory_is_loaded_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clients{suffix}"
    for keys in ({}, {0: KEYS[0], 2**63 - 1: KEYS[1]}, {17: KEYS[2]}):  # over the one before
        Pinned(keys).save(path)
        assert dict(Pinned.load(path)) == keys
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_file_written_by_hand_may_use_hex_or_base64(tmp_path: Path) -> None:
    path = tmp_path / "clients.toml"
    path.write_text(
        f'[clients]\n17 = "{KEYS[1].hex().upper()}"\n"18" = "{base64.b64encode(KEYS[2]).decode()}"'
    )
    assert dict(Pinned.load(path)) == {17: KEYS[1], 18: KEYS[2]}


HEX = KEYS[1].hex()


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("{", "line 1"),
        ("[]", r"list, expected \['clients'\] and nothing else"),
        ("{}", r"\[\], expected \['clients'\] and nothing else"),
        ('{"clients": {}, "client": {}}', r"\['client', 'clients'\], expected \['clients'\]"),
        ('{"clients": 5}', "5, expected a table of client ids"),
        (
            f'{{"clients": {{"017": "{HEX}"}}}}',
            "client '017', expected an id that is a plain decimal number",
        ),
        (f'{{"clients": {{"-1": "{HEX}"}}}}', "client '-1', expected an id"),
        (f'{{"clients": {{"١": "{HEX}"}}}}', "client '١', expected an id"),
        (f'{{"clients": {{"{2**63}": "{HEX}"}}}}', f"client {2**63}, expected an id"),
        (f'{{"clients": {{"17": "{HEX}", "17": "{HEX}"}}}}', "'17' stands there twice"),
        (f'{{"clients": {{"17": "{HEX}", "18": "{HEX}"}}}}', "17 and 18 have the same key"),
        ('{"clients": {"17": "abcd"}}', "client 17: 'abcd', expected 32 bytes in hex or base64"),
        ('{"clients": {"17": 5}}', "client 17: 5, expected 32 bytes in hex or base64"),
        (f'{{"clients": {{"17": "{HEX[:-2]} 0"}}}}', "client 17: .*, expected 32 bytes"),
        (f'{{"clients": {{"17": "{"=" * 44}"}}}}', "client 17: .*, expected 32 bytes"),
        (f'{{"clients": {{"17": "{"00" * 32}"}}}}', "client 17: .* small order"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name_and_entry(
    tmp_path: Path, text: str, seen: str
) -> None:
    path = tmp_path / "clients.json"
    path.write_text(text, "utf-8")
    with pytest.raises(LocalProtocolError, match=f"clients.json: .*{seen}"):
        Pinned.load(path)


def test_neither_text_nor_a_known_suffix(tmp_path: Path) -> None:
    path = tmp_path / "clients.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(LocalProtocolError, match=r"clients\.toml: 'utf-8'"):
        Pinned.load(path)
    with pytest.raises(LocalProtocolError, match=r"ends in \.toml or \.json"):
        Pinned.load(tmp_path / "clients.yaml")
    with pytest.raises(FileNotFoundError):
        Pinned.load(tmp_path / "none.json")


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    pinned = Pinned({3: KEYS[3], 1: KEYS[1]})
    pinned.save(tmp_path / "d.json")
    pinned.save(tmp_path / "d.toml")
    expected = {"clients": {"1": KEYS[1].hex(), "3": KEYS[3].hex()}}
    assert json.loads((tmp_path / "d.json").read_text()) == expected
    assert (tmp_path / "d.toml").read_text() == (
        f'[clients]\n1 = "{KEYS[1].hex()}"\n3 = "{KEYS[3].hex()}"\n'
    )
