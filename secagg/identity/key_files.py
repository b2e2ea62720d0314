"""Private keys in files that only their owner can read: a client's identity, a server's key.

    PKCS#8 in PEM, mode 0600 from its first byte, never overwritten; with a passphrase, PBES2

A client signs with an Ed25519 key (`create`, `load`); the shares of round 4 are sealed to a
server's X25519 key (`create_server`, `load_server`).

The passphrase is the second lock and the mode is the first: `cryptography` derives the file's key
with 2048 rounds of PBKDF2, which delays whoever has stolen the file and guesses a weak passphrase
by very little. On Windows a mode says nothing, so there the folder's permissions are the only lock.

>>> key = secagg.identity.create(tmp_path / "client-7.pem")
>>> same = secagg.identity.load(tmp_path / "client-7.pem")
>>> same.public_key() == key.public_key()
True
"""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from secagg.errors import LocalProtocolError

PrivateKey = Ed25519PrivateKey | X25519PrivateKey


def create(path: str | Path, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """A new private key of a client or an authority, saved; errors as `save`."""
    key = Ed25519PrivateKey.generate()
    save(key, path, passphrase)
    return key


def create_server(path: str | Path, passphrase: bytes | None = None) -> X25519PrivateKey:
    """A new private key of a server, saved; errors as `save`."""
    key = X25519PrivateKey.generate()
    save(key, path, passphrase)
    return key


def save(key: PrivateKey, path: str | Path, passphrase: bytes | None = None) -> None:
    """Write a private key to a new file.

    Raises LocalProtocolError if the file exists or the passphrase is empty or over 1023 bytes,
    OSError if it cannot be written; then no file is left behind.
    """
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption(passphrase))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise LocalProtocolError(
            f"{path} exists, expected a new file: a private key is never overwritten"
        ) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        os.unlink(path)
        raise


def load(path: str | Path, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """Read a client's or an authority's private key, which only its owner can read.

    Raises LocalProtocolError, naming the file, if its group or others may read or write it (as
    ssh does), if it is no Ed25519 key, and if the passphrase is wrong, missing or not needed;
    OSError if it cannot be read.
    """
    key = _load(path, passphrase)
    if not isinstance(key, Ed25519PrivateKey):
        raise LocalProtocolError(f"{path}: a {type(key).__name__}, expected an Ed25519 key")
    return key


def load_server(path: str | Path, passphrase: bytes | None = None) -> X25519PrivateKey:
    """Read a server's private key; errors as `load`, with X25519 for Ed25519."""
    key = _load(path, passphrase)
    if not isinstance(key, X25519PrivateKey):
        raise LocalProtocolError(f"{path}: a {type(key).__name__}, expected an X25519 key")
    return key


def is_encrypted(path: str | Path) -> bool:
    """Whether `load` will need a passphrase; errors of the file as `load`."""
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in _read(path)


def _load(path: str | Path, passphrase: bytes | None) -> PrivateKeyTypes:
    pem = _read(path)
    try:
        return load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise LocalProtocolError(f"{path}: {error}") from None


def _encryption(passphrase: bytes | None) -> KeySerializationEncryption:
    if passphrase is None:
        return NoEncryption()
    if not 1 <= len(passphrase) <= 1023:
        raise LocalProtocolError(f"a passphrase of {len(passphrase)} bytes, expected 1 to 1023")
    return BestAvailableEncryption(passphrase)


def _read(path: str | Path) -> bytes:
    with open(path, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode & 0o777  # of what was opened, not of the name
        if os.name == "posix" and mode & 0o077:
            raise LocalProtocolError(
                f"{path}: mode {mode:04o} opens this private key to others, expected 0600"
            )
        return file.read()
