"""An authority believes the certificates that it signed, and nothing that it did not."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

import secagg
from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.identity.authority import CERTIFICATE_BYTES, Authority, issue, load
from secagg.identity.directory import Directory, Pinned, as_directory
from secagg.keys import framed
from tests.helpers.hosts import KEY, Host, restored
from tests.helpers.party import SERVER_KEY, Party


def private(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big"))


def public(seed: int) -> bytes:
    return private(seed).public_key().public_bytes_raw()


CA, OTHER_CA = private(1000), private(1001)
KEYS = [public(seed) for seed in range(8)]
AUTHORITY = Authority(public(1000))
ALICE = issue(CA, 17, KEYS[0])


@given(st.integers(0, 2**63 - 1), st.sampled_from(KEYS))
def test_what_was_certified_is_believed_of_this_client_alone(u: int, key: bytes) -> None:
    certificate = issue(CA, u, key)
    assert len(certificate) == CERTIFICATE_BYTES
    assert AUTHORITY.identity(u, certificate) == key
    assert issue(CA, u, key) == certificate
    with pytest.raises(RemoteProtocolError, match=f"client {u ^ 1}: .* somebody else"):
        AUTHORITY.identity(u ^ 1, certificate)


def test_the_certificate_is_the_formula_of_the_module() -> None:
    statement = (
        b"\x13" + bytes(7) + b"secagg/v1/enrolment"
        + b"\x08" + bytes(7) + b"\x11" + bytes(7)
        + b"\x20" + bytes(7) + KEYS[0]
    )  # fmt: skip
    assert KEYS[0] + CA.sign(statement) == ALICE


def test_the_digest_names_the_authority() -> None:
    statement = framed(b"secagg/v1/authority", public(1000))
    assert AUTHORITY.digest == hashlib.sha256(statement).digest()
    assert Authority(public(1001)).digest != AUTHORITY.digest
    assert Pinned({}).digest != AUTHORITY.digest


def test_it_is_a_directory() -> None:
    own: Directory = AUTHORITY
    assert as_directory(own) is own


@given(st.integers(0, 8 * CERTIFICATE_BYTES - 1))
def test_a_certificate_with_one_bit_flipped_is_refused(bit: int) -> None:
    forged = bytearray(ALICE)
    forged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(RemoteProtocolError, match=r"client 17: .* somebody else") as error:
        AUTHORITY.identity(17, bytes(forged))
    assert (error.value.sender, error.value.about) == (None, ())


@pytest.mark.parametrize(
    ("certificate", "seen"),
    [
        (issue(OTHER_CA, 17, KEYS[0]), f"expected the signature of {public(1000).hex()}"),
        (issue(CA, 18, KEYS[0]), "somebody else"),
        (KEYS[1] + ALICE[32:], "somebody else"),
        (KEYS[0] + bytes(64), "somebody else"),
        (KEYS[0] + CA.sign(bytes(8) + KEYS[0]), "somebody else"),
        (b"", "a certificate of 0 bytes, expected 96"),
        (ALICE[:-1], "95 bytes"),
        (ALICE + b"\0", "97 bytes"),
        (KEYS[0], "32 bytes"),
    ],
)
def test_a_forged_certificate_is_refused(certificate: bytes, seen: str) -> None:
    with pytest.raises(RemoteProtocolError, match=f"client 17: .*{seen}") as error:
        AUTHORITY.identity(17, certificate)
    assert (error.value.sender, error.value.about) == (None, ())


@pytest.mark.parametrize(
    ("client", "key", "seen"),
    [
        (2**63, KEYS[0], "an id"),
        (17, bytes(32), "client 17: .* small order"),
        (17, (2).to_bytes(32, "little"), "client 17: .* expected a point"),
    ],
)
def test_what_no_directory_may_hold_is_neither_certified_nor_believed(
    client: int, key: bytes, seen: str
) -> None:
    with pytest.raises(LocalProtocolError, match=seen):
        issue(CA, client, key)
    statement = framed(b"secagg/v1/enrolment", client.to_bytes(8, "little"), key)
    with pytest.raises(RemoteProtocolError, match=seen):
        AUTHORITY.identity(client, key + CA.sign(statement))


@pytest.mark.parametrize(("client", "key"), [(-1, KEYS[0]), (True, KEYS[0]), (17, bytes(31))])
def test_what_has_no_bytes_is_not_certified(client: int, key: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        issue(CA, client, key)


@pytest.mark.parametrize("key", [(1).to_bytes(32, "little"), bytes(31)])
def test_an_authority_whose_key_is_none_is_refused(key: bytes) -> None:
    with pytest.raises(LocalProtocolError, match=r"the authority's key: "):
        Authority(key)


# Sessions.


@pytest.mark.parametrize("absent", [{}, {10: 0}, {20: 1}, {30: 2}, {40: 3}, {50: 4}])
def test_a_session_of_certified_clients_ends_in_the_sum_of_one_of_pinned_ones(
    absent: dict[int, int],
) -> None:
    certified, pinned = Party(5, ca=CA), Party(5)
    for party in (certified, pinned):
        party.after(4, absent=absent)
    result = certified.server.result
    assert result.sum.tolist() == certified.expected(result.survivors)
    assert (result.survivors, result.dropped) == (
        pinned.server.result.survivors,
        pinned.server.result.dropped,
    )


@settings(deadline=None, max_examples=10)
@given(st.sets(st.integers(0, 11), min_size=4, max_size=5))
def test_nobody_needs_to_know_beforehand_who_takes_part(who: set[int]) -> None:
    party = Party(5, ca=CA, outsiders=7, t=4)
    party.ids = [10 * (i + 1) for i in sorted(who)]
    party.inputs = dict.fromkeys(party.ids, party.inputs[10])
    party.clients = {u: party.client(u) for u in party.ids}
    assert party.finish().sum.tolist() == party.expected(tuple(party.ids))


def test_hosts_that_believe_another_authority_share_no_session() -> None:
    party = Party(5, ca=CA)
    theirs = secagg.Server(party.params, directory=Authority(public(1001)), private_key=SERVER_KEY)
    with pytest.raises(RemoteProtocolError, match=r"client 10: .* somebody else"):
        theirs.receive(10, party.clients[10].start())


def test_a_certified_client_and_its_server_come_back_from_their_snapshots() -> None:
    party = Party(5, ca=CA)
    hosts = {u: Host(party, u) for u in party.ids}
    for round in range(5):
        party.clients = {u: host.client for u, host in hosts.items()}
        party.after(round)
        for host in hosts.values():
            host.restart()
        party.server = restored(party, party.server.snapshot(KEY))
    assert party.server.result.sum.tolist() == party.expected(tuple(party.ids))


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"certificate": b""}, "client 10: a certificate of 0 bytes, expected 96"),
        ({"certificate": issue(OTHER_CA, 10, KEYS[0])}, "client 10: .* somebody else"),
        ({"certificate": issue(CA, 10, KEYS[0])}, "the signing key is another"),
        ({"certificate": bytearray(issue(CA, 10, KEYS[0]))}, "is a bytearray, expected bytes"),
        ({"certificate": None}, "is a NoneType, expected bytes"),
        ({"u": 2**63}, "an id that is an int"),
        (
            {"directory": {10: KEYS[0]}},
            "client 10: a certificate of 96 bytes, expected none: keys are pinned",
        ),
    ],
)
def test_a_client_that_nobody_would_believe_is_not_made(changes: dict[str, Any], seen: str) -> None:
    party = Party(5, ca=CA)
    given = {
        "u": 10,
        "params": party.params,
        "vectors": party.inputs[10],
        "signing_key": party.keys[10],
        "directory": party.directory,
        "certificate": party.certificates[10],
    }
    secagg.Client(**given)
    with pytest.raises(LocalProtocolError, match=seen):
        secagg.Client(**(given | changes))


# Files.


@pytest.mark.parametrize("name", ["d.toml", "d.json"])
def test_a_saved_authority_is_loaded_again(tmp_path: Path, name: str) -> None:
    AUTHORITY.save(tmp_path / name)
    assert Authority.load(tmp_path / name) == load(tmp_path / name) == AUTHORITY


def test_load_takes_either_kind_and_nothing_else(tmp_path: Path) -> None:
    pinned = Pinned({17: KEYS[0]})
    pinned.save(tmp_path / "pinned.toml")
    loaded = load(tmp_path / "pinned.toml")
    assert isinstance(loaded, Pinned)
    assert loaded.digest == pinned.digest
    (tmp_path / "both.toml").write_text('authority = ""\n[clients]\n')
    with pytest.raises(LocalProtocolError, match=r"\['clients'\] or \['authority'\] and nothing"):
        load(tmp_path / "both.toml")


@pytest.mark.parametrize(
    ("ca", "seen"),
    [
        ("00", "authority: .*, expected 32 bytes"),
        (bytes(32).hex(), "the authority's key: .* small order"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name(tmp_path: Path, ca: str, seen: str) -> None:
    path = tmp_path / "d.toml"
    path.write_text(f'authority = "{ca}"\n')
    with pytest.raises(LocalProtocolError, match=f"d.toml: {seen}"):
        Authority.load(path)
