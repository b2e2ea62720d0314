"""An authority's directory holds what the authority signed, and nothing that it did not."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from secagg.authority import Authority, Certificate, issue, load
from secagg.directory import Pinned, as_directory
from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.keys import framed


def private(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big"))


def public(seed: int) -> bytes:
    return private(seed).public_key().public_bytes_raw()


CA, OTHER_CA = private(1000), private(1001)
CA_KEY = public(1000)
KEYS = [public(seed) for seed in range(8)]
ALICE = issue(CA, 17, KEYS[0])


@given(st.lists(st.integers(0, 2**63 - 1), unique=True, max_size=len(KEYS)))
def test_what_was_signed_is_in_the_directory(ids: list[int]) -> None:
    keys = dict(zip(ids, KEYS, strict=False))
    authority = Authority(CA_KEY, [issue(CA, u, key) for u, key in keys.items()])
    assert dict(authority) == keys
    assert list(authority) == sorted(ids)
    assert as_directory(authority) is authority


def test_the_certificate_is_the_formula_of_the_module() -> None:
    statement = (
        b"\x13" + bytes(7) + b"secagg/v1/enrolment"
        + b"\x08" + bytes(7) + b"\x11" + bytes(7)
        + b"\x20" + bytes(7) + KEYS[0]
    )  # fmt: skip
    assert Certificate(17, KEYS[0], CA.sign(statement)) == ALICE


def test_the_digest_names_the_authority_and_every_key_that_it_vouches_for() -> None:
    one = Authority(CA_KEY, [ALICE])
    seventeen = (17).to_bytes(8, "little")
    statement = framed(b"secagg/v1/authority", CA_KEY, seventeen, KEYS[0])
    assert one.digest == hashlib.sha256(statement).digest()
    assert Authority(CA_KEY).digest != one.digest
    assert Authority(public(1001)).digest != one.digest
    assert Pinned({17: KEYS[0]}).digest != one.digest


def test_a_client_may_come_later() -> None:
    authority = Authority(CA_KEY)
    assert 17 not in authority
    with pytest.raises(KeyError, match="client 17 is not in the directory"):
        authority[17]
    authority.add(ALICE)
    authority.add(ALICE)
    assert dict(authority) == {17: KEYS[0]}


@pytest.mark.parametrize(
    "forged",
    [
        issue(OTHER_CA, 17, KEYS[0]),
        replace(ALICE, client=18),
        replace(ALICE, key=KEYS[1]),
        replace(ALICE, signature=bytes(64)),
        replace(ALICE, signature=ALICE.signature[:-1]),
        replace(ALICE, signature=CA.sign(bytes(8) + KEYS[0])),
    ],
)
def test_a_forged_certificate_is_refused_and_does_not_stand_in_the_way(forged: Certificate) -> None:
    authority = Authority(CA_KEY)
    with pytest.raises(RemoteProtocolError, match=f"client {forged.client}: .* not signed by"):
        authority.add(forged)
    assert len(authority) == 0
    authority.add(ALICE)
    assert authority[17] == KEYS[0]


@pytest.mark.parametrize(
    ("second", "seen"),
    [
        (issue(CA, 17, KEYS[1]), "client 17 has a certificate for another key"),
        (issue(CA, 18, KEYS[0]), "clients 17 and 18 have the same key"),
    ],
)
def test_even_the_authority_gives_one_client_one_key(second: Certificate, seen: str) -> None:
    authority = Authority(CA_KEY, [ALICE])
    with pytest.raises(RemoteProtocolError, match=seen):
        authority.add(second)
    assert dict(authority) == {17: KEYS[0]}


@pytest.mark.parametrize(
    ("client", "key", "seen"),
    [
        (-1, KEYS[0], "client -1: an id"),
        (2**63, KEYS[0], "an id"),
        (17, bytes(32), "client 17: .* small order"),
        (17, bytes(31), "client 17: .* 31 bytes"),
    ],
)
def test_what_no_directory_may_hold_is_neither_signed_nor_added(
    client: int, key: bytes, seen: str
) -> None:
    with pytest.raises(LocalProtocolError, match=seen):
        issue(CA, client, key)
    statement = framed(b"secagg/v1/enrolment", (client % 2**64).to_bytes(8, "little"), key)
    with pytest.raises(RemoteProtocolError, match=seen):
        Authority(CA_KEY).add(Certificate(client, key, CA.sign(statement)))


def test_an_authority_whose_key_signs_everything_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match=r"the authority's key: .* small order"):
        Authority((1).to_bytes(32, "little"))


# Files.


@pytest.mark.parametrize("name", ["d.toml", "d.json"])
def test_a_saved_authority_is_loaded_again(tmp_path: Path, name: str) -> None:
    authority = Authority(CA_KEY, [ALICE, issue(CA, 3, KEYS[3])])
    authority.save(tmp_path / name)
    for loaded in (Authority.load(tmp_path / name), load(tmp_path / name)):
        assert isinstance(loaded, Authority)
        assert dict(loaded) == {3: KEYS[3], 17: KEYS[0]}
        assert loaded.digest == authority.digest


def test_load_takes_either_kind_and_nothing_else(tmp_path: Path) -> None:
    pinned = Pinned({17: KEYS[0]})
    pinned.save(tmp_path / "pinned.toml")
    loaded = load(tmp_path / "pinned.toml")
    assert isinstance(loaded, Pinned)
    assert loaded.digest == pinned.digest
    (tmp_path / "both.toml").write_text('authority = ""\n[clients]\n[certificates]\n')
    with pytest.raises(
        LocalProtocolError, match=r"\['clients'\] or \['authority', 'certificates'\] and nothing"
    ):
        load(tmp_path / "both.toml")


@pytest.mark.parametrize(
    ("ca", "certificate", "seen"),
    [
        ("00", ALICE, "authority: expected 32 bytes"),
        (bytes(32).hex(), ALICE, "the authority's key: .* small order"),
        (CA_KEY.hex(), replace(ALICE, signature=b""), "client 17: expected 96 bytes"),
        (CA_KEY.hex(), issue(OTHER_CA, 17, KEYS[0]), "client 17: .* not signed by"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name_and_entry(
    tmp_path: Path, ca: str, certificate: Certificate, seen: str
) -> None:
    entry = (certificate.key + certificate.signature).hex()
    path = tmp_path / "d.toml"
    path.write_text(f'authority = "{ca}"\n[certificates]\n17 = "{entry}"\n')
    with pytest.raises(LocalProtocolError, match=f"d.toml: {seen}"):
        Authority.load(path)
