"""A directory says which Ed25519 key speaks for which client; this one pins every key by hand.

    digest = SHA-256(label, for each id u in rising order: u, key of u)

Every client of a session computes the digest from its own copy and puts it into the params digest,
so two clients that disagree about one key share no session. A directory does not say who is honest,
and it does not take a key back: leave the client out of the next session's directory instead.
`authority` is the other kind, in which clients bring certificates.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

from secagg.curve import check_ed25519, check_server_key
from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.identity import directory_files
from secagg.keys import DIRECTORY, id_bytes, sha256


class UnknownClient(RemoteProtocolError, KeyError):
    """A client id that the directory does not hold; a KeyError too, so that `get` and `in` work."""

    def __init__(self, u: int) -> None:
        super().__init__(f"client {u} is not in the directory, expected one that is")

    def __str__(self) -> str:  # KeyError would print the repr
        return str(self.args[0])


@runtime_checkable
class Directory(Protocol):
    """What `Client` and `Server` need: whose key is whose, and a digest of whom to believe.

    The key must follow from the digest, u and the certificate alone: the params digest binds the
    one, the roster digest the others. One of your own must return canonical keys of large order. It
    takes either no certificate from anybody, or from everybody one of CERTIFICATE_BYTES, whose key
    is what the certificate begins with.

    >>> isinstance(secagg.Pinned(directory), secagg.Directory)
    True
    """

    @property
    def digest(self) -> bytes:
        """32 bytes that two parties share if and only if they find the same keys."""

    def identity(self, u: int, certificate: bytes, /) -> bytes:
        """The raw 32-byte Ed25519 public key of u, which advertised this certificate or b"".

        Raises RemoteProtocolError if u is unknown, or the certificate is not to be believed.
        """


class Pinned(Mapping[int, bytes]):
    """A fixed directory: raw 32-byte Ed25519 public keys by client id, each checked once, here.

    Raises LocalProtocolError, naming the client, for an id outside [0, 2^63), for a key that
    `check_ed25519` refuses, and for one key under two ids. The mapping is copied.

    server_key: the server's X25519 public key, for `Params.server_key`, where the file names it. It
    is not in the digest: the params digest has it by itself.

    >>> pinned = secagg.Pinned(directory)
    >>> list(pinned), pinned[7] == keys[7].public_key().public_bytes_raw()
    ([4, 7, 9], True)
    """

    def __init__(self, keys: Mapping[int, bytes], server_key: bytes = b"") -> None:
        check_server_key(server_key)
        self.server_key = server_key
        self._keys: dict[int, bytes] = {}
        owners: dict[bytes, int] = {}
        for u in keys:
            check_entry(u, keys[u])
            if (v := owners.setdefault(keys[u], u)) != u:
                raise LocalProtocolError(f"clients {v} and {u} have the same key, expected two")
            self._keys[u] = keys[u]
        self._digest = _digest(self._keys)

    @property
    def digest(self) -> bytes:
        return self._digest

    def check_holds(self, ids: Iterable[int]) -> None:
        """RemoteProtocolError, naming the first, unless all of these clients are in it."""
        unknown = set(ids) - self._keys.keys()
        if unknown:
            raise UnknownClient(min(unknown))

    def identity(self, u: int, certificate: bytes, /) -> bytes:
        """The key of u; RemoteProtocolError if there is none, or for a certificate beside it."""
        if certificate:
            raise RemoteProtocolError(
                f"in the name of client {u}: a certificate of {len(certificate)} bytes, "
                "expected none: keys are pinned"
            )
        return self[u]

    def __getitem__(self, u: int, /) -> bytes:
        try:
            return self._keys[u]
        except KeyError:
            raise UnknownClient(u) from None

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._keys))

    def __repr__(self) -> str:
        return f"Pinned({len(self)} clients, digest {self._digest.hex()[:16]}…)"

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read `{"clients": {"17": "<hex or base64 key>"}}`, TOML or JSON as the suffix says.

        `"server": "<key>"` may stand beside.

        Raises LocalProtocolError naming the file and the entry, OSError if it cannot be read.
        """
        table = directory_files.read(path, {"clients"})
        keys = directory_files.entries(path, table["clients"], 32)
        try:
            return cls(keys, directory_files.server_of(path, table))
        except LocalProtocolError as error:
            raise LocalProtocolError(f"{path}: {error}") from None

    def save(self, path: str | Path) -> None:
        """Write what `load` reads, replacing the file in one step."""
        table = {"clients": self._keys}
        directory_files.write(path, directory_files.with_server(table, self.server_key))


def as_directory(directory: Mapping[int, bytes] | Directory) -> Directory:
    """A directory as it is, a plain mapping of keys as `Pinned`; LocalProtocolError for neither."""
    if isinstance(directory, Directory):
        return directory
    if isinstance(directory, Mapping):
        return Pinned(directory)
    raise LocalProtocolError(
        f"a directory that is a {type(directory).__name__}, expected a mapping of client ids to "
        "keys, or what has `digest` and `identity`"
    )


def check_id(u: int) -> None:
    """Raise LocalProtocolError unless `u` may be a client id."""
    if type(u) is not int or not 0 <= u < 2**63:
        raise LocalProtocolError(f"client {u!r}, expected an id that is an int in [0, 2^63)")


def check_entry(u: int, key: bytes) -> None:
    """Raise LocalProtocolError, naming the client, unless `key` may speak for a client id `u`."""
    check_id(u)
    if type(key) is not bytes:
        raise LocalProtocolError(
            f"client {u}: the key is a {type(key).__name__}, expected 32 bytes"
        )
    try:
        check_ed25519(key)
    except RemoteProtocolError as error:
        raise LocalProtocolError(f"client {u}: {error}") from None


def _digest(keys: Mapping[int, bytes]) -> bytes:
    return sha256(DIRECTORY, *(part for u in sorted(keys) for part in (id_bytes(u), keys[u])))
