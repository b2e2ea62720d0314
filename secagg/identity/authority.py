"""An authority is a directory by signature: one key says which key speaks for which client.

    certificate of u = key ‖ Ed25519(CA key, framed(label, u, key))        32 + 64 bytes
    digest           = SHA-256(label, CA key)

A host configures the CA's public key and nothing else; each client brings its certificate in its
AdvertiseKeys, and everybody verifies it. The bound on corrupt clients must hold over everyone whom
the CA has ever certified: there is no expiry and no revocation but another CA key. A certificate
does not prove that u holds the private key; nobody else's messages can pass for u's, since every
signed message names its sender. Why this is safe: docs/decisions/0007-certificates-travel.md.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from secagg.curve import check_ed25519, check_server_key
from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.identity import directory_files
from secagg.identity.directory import Pinned, check_entry
from secagg.keys import AUTHORITY, ENROLMENT, framed, id_bytes, sha256

KEY_BYTES: Final = 32
CERTIFICATE_BYTES: Final = KEY_BYTES + 64


def issue(ca_key: Ed25519PrivateKey, client: int, key: bytes) -> bytes:
    """The certificate of a client's key, CERTIFICATE_BYTES; the same whenever it is asked for.

    Raises LocalProtocolError for an id or a key that no directory may hold. Keep a `Pinned` of all
    that was issued: no client a second key, no key a second client.
    """
    check_entry(client, key)
    return key + ca_key.sign(_statement(client, key))


@dataclass(frozen=True)
class Authority:
    """Whoever has a certificate of `ca_public_key`; LocalProtocolError for a key that is none.

    server_key: as in `Pinned`.

    >>> ca = Ed25519PrivateKey.generate()
    >>> certificate = secagg.identity.authority.issue(ca, 7, directory[7])
    >>> authority = secagg.Authority(ca.public_key().public_bytes_raw())
    >>> authority.identity(7, certificate) == directory[7]
    True
    """

    ca_public_key: bytes
    server_key: bytes = b""

    def __post_init__(self) -> None:
        check_server_key(self.server_key)
        try:
            check_ed25519(self.ca_public_key)
        except RemoteProtocolError as error:
            raise LocalProtocolError(f"the authority's key: {error}") from None

    @cached_property
    def digest(self) -> bytes:
        return sha256(AUTHORITY, self.ca_public_key)

    @cached_property
    def _ca(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.ca_public_key)

    def identity(self, u: int, certificate: bytes, /) -> bytes:
        """The key in u's certificate; RemoteProtocolError if the CA did not sign it."""
        if len(certificate) != CERTIFICATE_BYTES:
            raise RemoteProtocolError(
                f"in the name of client {u}: a certificate of {len(certificate)} bytes, "
                f"expected {CERTIFICATE_BYTES}"
            )
        key, signature = certificate[:KEY_BYTES], certificate[KEY_BYTES:]
        try:
            self._ca.verify(signature, _statement(u, key))
            check_entry(
                u, key
            )  # certified or not, any signature verifies under a key of small order
        except InvalidSignature:
            raise RemoteProtocolError(
                f"in the name of client {u}: a certificate of somebody else, expected the "
                f"signature of {self.ca_public_key.hex()}"
            ) from None
        except LocalProtocolError as error:
            raise RemoteProtocolError(str(error)) from None
        return key

    def __repr__(self) -> str:
        return f"Authority({self.ca_public_key.hex()})"

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read `{"authority": "<CA key, hex or base64>"}`, TOML or JSON as the suffix says.

        `"server": "<key>"` may stand beside.

        Raises LocalProtocolError naming the file, OSError if it cannot be read.
        """
        table = directory_files.read(path, {"authority"})
        where = f"{path}: authority"
        ca_public_key = directory_files.decode(where, table["authority"], KEY_BYTES)
        try:
            return cls(ca_public_key, directory_files.server_of(path, table))
        except LocalProtocolError as error:
            raise LocalProtocolError(f"{path}: {error}") from None

    def save(self, path: str | Path) -> None:
        """Write what `load` reads, replacing the file in one step."""
        table = {"authority": self.ca_public_key}
        directory_files.write(path, directory_files.with_server(table, self.server_key))


def load(path: str | Path) -> Pinned | Authority:
    """Read a directory file of either kind; errors as `Pinned.load` and `Authority.load`.

    >>> path = tmp_path / "directory.toml"
    >>> secagg.Pinned(directory).save(path)
    >>> secagg.load_directory(path) == secagg.Pinned(directory)
    True
    """
    table = directory_files.read(path, {"clients"}, {"authority"})
    return Pinned.load(path) if "clients" in table else Authority.load(path)


def _statement(u: int, key: bytes) -> bytes:
    return framed(ENROLMENT, id_bytes(u), key)
