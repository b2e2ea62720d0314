"""A private key's file is its owner's from the first byte, and is written once."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from secagg import identity
from secagg.errors import LocalProtocolError

posix_only = pytest.mark.skipif(os.name != "posix", reason="a mode says nothing on Windows")


def same(a: Ed25519PrivateKey, b: Ed25519PrivateKey) -> bool:
    return a.private_bytes_raw() == b.private_bytes_raw()


@pytest.mark.parametrize("passphrase", [None, b"open sesame", "naïve".encode(), b"x" * 1023])
def test_a_created_key_is_loaded_again(tmp_path: Path, passphrase: bytes | None) -> None:
    path = tmp_path / "client.pem"
    key = identity.create(path, passphrase)
    assert same(identity.load(path, passphrase), key)
    assert identity.is_encrypted(path) is (passphrase is not None)


def test_two_created_keys_differ(tmp_path: Path) -> None:
    assert not same(identity.create(tmp_path / "a.pem"), identity.create(tmp_path / "b.pem"))


def test_any_tool_can_read_the_file(tmp_path: Path) -> None:
    key = identity.create(tmp_path / "client.pem")
    pem = (tmp_path / "client.pem").read_bytes()
    assert pem == key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert load_pem_private_key(pem, None)


def test_with_a_passphrase_the_key_is_not_in_the_file(tmp_path: Path) -> None:
    key = identity.create(tmp_path / "client.pem", b"open sesame")
    pem = (tmp_path / "client.pem").read_bytes()
    with pytest.raises(TypeError):
        load_pem_private_key(pem, None)
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert plain.splitlines()[1] not in pem


@posix_only
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_mode_is_0600_before_a_byte_is_written(
    tmp_path: Path, umask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    fdopen = os.fdopen

    def watched(descriptor: int, *args: str) -> object:
        status = os.fstat(descriptor)
        modes.append((status.st_mode & 0o777, status.st_size))
        return fdopen(descriptor, *args)

    monkeypatch.setattr(os, "fdopen", watched)
    before = os.umask(umask)
    try:
        identity.create(tmp_path / "client.pem")
    finally:
        os.umask(before)
    assert modes == [(0o600, 0)]
    assert (tmp_path / "client.pem").stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "client.pem"
    key = identity.create(path)
    with pytest.raises(
        LocalProtocolError, match=r"client\.pem exists, expected a new file: .* never overwritten"
    ):
        identity.create(path)
    assert same(identity.load(path), key)


@posix_only
def test_a_link_to_nowhere_counts_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "client.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LocalProtocolError, match="never overwritten"):
        identity.create(tmp_path / "client.pem")
    assert not (tmp_path / "elsewhere").exists()


def test_a_failed_write_leaves_no_half_of_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        identity.create(tmp_path / "client.pem")
    assert list(tmp_path.iterdir()) == []


@posix_only
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o610])
def test_a_key_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "client.pem"
    identity.create(path)
    path.chmod(mode)
    with pytest.raises(LocalProtocolError, match=rf"client\.pem: mode {mode:04o} .* expected 0600"):
        identity.load(path)
    path.chmod(0o400)
    assert identity.load(path)


def private_file(path: Path, content: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(content)
    return path


P256 = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (b"", "Unable to load PEM"),
        (b"\xff\xfe", "Unable to load PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "deserialize"),
        (P256, "a E.*, expected an Ed25519 key"),
    ],
    ids=["nothing", "no text", "no key", "a key of another curve"],
)
def test_what_is_no_ed25519_key_is_refused(tmp_path: Path, content: bytes, seen: str) -> None:
    with pytest.raises(LocalProtocolError, match=rf"client\.pem: .*{seen}"):
        identity.load(private_file(tmp_path / "client.pem", content))


def test_the_passphrase_must_be_the_one(tmp_path: Path) -> None:
    locked, plain = tmp_path / "locked.pem", tmp_path / "plain.pem"
    identity.create(locked, b"open sesame")
    identity.create(plain)
    for path, passphrase in ((locked, None), (locked, b"open"), (plain, b"open sesame")):
        with pytest.raises(LocalProtocolError, match=path.name) as error:
            identity.load(path, passphrase)
        assert "sesame" not in str(error.value)


@pytest.mark.parametrize("length", [0, 1024])
def test_a_passphrase_that_cannot_be_used_makes_no_file(tmp_path: Path, length: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"{length} bytes, expected 1 to 1023"):
        identity.create(tmp_path / "client.pem", b"x" * length)
    assert list(tmp_path.iterdir()) == []


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        identity.load(tmp_path / "client.pem")
