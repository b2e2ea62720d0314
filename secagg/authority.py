"""An authority is a directory by signature: one key says which key speaks for which client.

    certificate of u = key ‖ Ed25519(CA key, framed(label, u, key))
    digest           = SHA-256(label, CA key, for each id u in rising order: u, key of u)

The digest covers the keys, not only whom to believe: parties that hold different certificates share
no session, rather than abort in the middle of one. So all parties of a session need the same
certificates. The bound on corrupt clients must hold for everyone whose certificate is among them.
There is no expiry and no revocation: leave the certificate out. A certificate does not prove that u
holds the private key; nobody else's messages can pass for u's, since every signed message names its
sender.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from secagg import directory_file
from secagg.curve import check_ed25519
from secagg.directory import Pinned, UnknownClient, check_entry
from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.keys import AUTHORITY, ENROLMENT, framed, id_bytes, sha256


@dataclass(frozen=True)
class Certificate:
    """The authority's word that `key`, 32 bytes, speaks for `client`; not yet verified."""

    client: int
    key: bytes
    signature: bytes


def issue(ca_key: Ed25519PrivateKey, client: int, key: bytes) -> Certificate:
    """Sign a client's key; LocalProtocolError for an id or a key that no directory may hold."""
    check_entry(client, key)
    return Certificate(client, key, ca_key.sign(_statement(client, key)))


class Authority(Mapping[int, bytes]):
    """The keys that `ca_public_key` signed, of the certificates seen so far.

    A certificate is verified when it is added, so that a forged one can neither be looked up nor
    stand in the way of the true one. Raises LocalProtocolError for a bad CA key, else as `add`.
    """

    def __init__(self, ca_public_key: bytes, certificates: Iterable[Certificate] = ()) -> None:
        try:
            check_ed25519(ca_public_key)
        except RemoteProtocolError as error:
            raise LocalProtocolError(f"the authority's key: {error}") from None
        self.ca_public_key: Final = ca_public_key
        self._ca = Ed25519PublicKey.from_public_bytes(ca_public_key)
        self._certificates: dict[int, Certificate] = {}
        self._owners: dict[bytes, int] = {}
        for certificate in certificates:
            self.add(certificate)

    def add(self, certificate: Certificate) -> None:
        """Verify a certificate and remember it; the same one again changes nothing.

        Raises RemoteProtocolError, naming the client, for an id or key that no directory may hold,
        for a signature that is not the authority's, for a second key of one client, and for one
        key of two clients.
        """
        u, key = certificate.client, certificate.key
        try:
            check_entry(u, key)
            self._ca.verify(certificate.signature, _statement(u, key))
        except LocalProtocolError as error:
            raise RemoteProtocolError(str(error)) from None
        except InvalidSignature:
            raise RemoteProtocolError(
                f"client {u}: the certificate is not signed by {self.ca_public_key.hex()}"
            ) from None
        if u in self._certificates and self._certificates[u].key != key:
            raise RemoteProtocolError(f"client {u} has a certificate for another key")
        if (v := self._owners.get(key, u)) != u:
            raise RemoteProtocolError(f"clients {v} and {u} have the same key")
        self._certificates[u] = certificate
        self._owners[key] = u

    @property
    def digest(self) -> bytes:
        entries = (part for u in self for part in (id_bytes(u), self[u]))
        return sha256(AUTHORITY, self.ca_public_key, *entries)

    def __getitem__(self, u: int, /) -> bytes:
        try:
            return self._certificates[u].key
        except KeyError:
            raise UnknownClient(u) from None

    def __len__(self) -> int:
        return len(self._certificates)

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._certificates))

    def __repr__(self) -> str:
        return f"Authority({self.ca_public_key.hex()}, {len(self)} certificates)"

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read `{"authority": "<CA key>", "certificates": {"17": "<key ‖ signature>"}}`.

        TOML or JSON as the suffix says, hex or base64. Raises LocalProtocolError naming the file
        and the entry, OSError if it cannot be read.
        """
        table = directory_file.read(path, {"authority", "certificates"})
        ca_public_key = directory_file.decode(f"{path}: authority", table["authority"], 32)
        entries = directory_file.entries(path, table["certificates"], 32 + 64)
        try:
            return cls(
                ca_public_key, (Certificate(u, raw[:32], raw[32:]) for u, raw in entries.items())
            )
        except (LocalProtocolError, RemoteProtocolError) as error:
            raise LocalProtocolError(f"{path}: {error}") from None

    def save(self, path: str | Path) -> None:
        """Write what `load` reads, replacing the file in one step."""
        entries = {u: entry.key + entry.signature for u, entry in self._certificates.items()}
        directory_file.write(path, {"authority": self.ca_public_key, "certificates": entries})


def load(path: str | Path) -> Pinned | Authority:
    """Read a directory file of either kind; errors as `Pinned.load` and `Authority.load`."""
    table = directory_file.read(path, {"clients"}, {"authority", "certificates"})
    return Pinned.load(path) if "clients" in table else Authority.load(path)


def _statement(u: int, key: bytes) -> bytes:
    return framed(ENROLMENT, id_bytes(u), key)
