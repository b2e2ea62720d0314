"""Keys, signatures and key derivation: every label of the protocol is a constant of this file.

    key = HKDF-SHA256(secret, info = framed(label, params digest, roster digest, u, v))

Nothing here is our own cryptography: X25519, Ed25519, HKDF, AES-GCM and SHA-256 are those of the
`cryptography` package.  `framed` writes each part behind its length, so no two lists of parts give
the same bytes.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from struct import Struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from secagg.errors import RemoteProtocolError

VERSION = 3
"""Of the wire and of what is signed. Labels name the family, and all digests hold the version."""

DIRECTORY = b"secagg/v1/directory"
AUTHORITY = b"secagg/v1/authority"
ENROLMENT = b"secagg/v1/enrolment"
PARAMS = b"secagg/v1/params"
ROSTER = b"secagg/v1/roster"
COMMITMENT = b"secagg/v1/commitment"
RECEIVED = b"secagg/v1/received"
BODY = b"secagg/v1/body"
SIGNATURE = b"secagg/v1/signature"
PAIRWISE_MASK = b"secagg/v1/pairwise-mask"
SELF_MASK = b"secagg/v1/self-mask"
SHARE_ENCRYPTION = b"secagg/v1/share-encryption"
UNMASKING_ENCRYPTION = b"secagg/v1/unmasking-encryption"
SESSION_END = b"secagg/v1/session-end"
GRAPH = b"secagg/v1/graph"
CLIENT_SNAPSHOT = b"secagg/v1/client-snapshot"
SERVER_SNAPSHOT = b"secagg/v1/server-snapshot"
REQUEST = b"secagg/v1/request"

SEED_BYTES = 24
"""A mask's seed: a 16-byte key of the stream cipher and an 8-byte nonce."""

Buffer = bytes | bytearray | memoryview

_FRAMED_ID = Struct("<QQ").pack
"""(8, u) -> framed(id_bytes(u))."""


def id_bytes(u: int) -> bytes:
    """A client id as 8 little-endian bytes."""
    return u.to_bytes(8, "little")


def framed(*parts: Buffer) -> bytes:
    """Each part behind its length (8 bytes, little-endian): an injective encoding of a list."""
    return b"".join(piece for part in parts for piece in (len(part).to_bytes(8, "little"), part))


def sha256(label: bytes, *parts: Buffer) -> bytes:
    """SHA-256 of framed(label, *parts), without copying the parts."""
    digest = hashlib.sha256(framed(label))
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def expanded(label: bytes, *parts: Buffer, size: int) -> bytes:
    """SHAKE-256 of framed(label, *parts): as many bytes as are asked for."""
    return hashlib.shake_256(framed(label, *parts)).digest(size)


@dataclass(frozen=True)
class Transcript:
    """What every signature and derivation is bound to: the parameters and, once fixed, the roster.

    Both hosts compute it for themselves: parties of different transcripts accept no signature of
    each other and derive no common key. In round 0 there is no roster yet, and its digest is empty.
    """

    params_digest: bytes = field(repr=False)
    roster_digest: bytes = field(default=b"", repr=False)

    def with_roster(self, roster_digest: bytes) -> "Transcript":
        """The transcript of the rounds after 0: the same parameters, and this roster."""
        return Transcript(self.params_digest, roster_digest)

    @cached_property
    def _prefixes(self) -> dict[bytes, bytes]:
        labels = PAIRWISE_MASK, SELF_MASK, SHARE_ENCRYPTION, UNMASKING_ENCRYPTION
        return {label: framed(label, self.params_digest, self.roster_digest) for label in labels}

    def _info(self, label: bytes, *ids: int) -> bytes:
        """framed(label, params digest, roster digest, ids), all but the ids framed once."""
        # As `framed` writes them, but fast: there is an `info` for every mask.
        prefix = self._prefixes[label]
        return prefix + b"".join([_FRAMED_ID(8, u) for u in ids])

    def _derive(
        self, secret: bytes, length: int, label: bytes, *ids: int, rest: bytes = b""
    ) -> bytes:
        """HKDF of a secret; `rest` is what `info` holds after the ids."""
        return _hkdf(secret, length, self._info(label, *ids) + rest)

    def pairwise_seed(self, shared: bytes, u: int, v: int) -> bytes:
        """Seed of the mask s_{u,v} of an unordered pair, from their X25519 secret."""
        return self._derive(shared, SEED_BYTES, PAIRWISE_MASK, min(u, v), max(u, v))

    def self_seed(self, b_u: bytes, u: int) -> bytes:
        """Seed of the self mask of u; b_u itself is never used as a key."""
        return self._derive(b_u, SEED_BYTES, SELF_MASK, u)

    def aead(self, shared: bytes, sender: int, receiver: int) -> AESGCM:
        """AES-128-GCM under the key of an ordered pair: a reflected ciphertext does not open."""
        return AESGCM(self._derive(shared, 16, SHARE_ENCRYPTION, sender, receiver))

    def associated_data(self, sender: int, receiver: int) -> bytes:
        """What each ciphertext of round 1 authenticates besides its content."""
        return self._info(SHARE_ENCRYPTION, sender, receiver)

    def unmasking_key(self, shared: bytes, e_pk: bytes, u: int) -> tuple[AESGCM, bytes]:
        """AES-128-GCM and its nonce for the shares of round 4 of u; e_pk is used once.

        The server's key, the other half of the exchange, is in the params digest.
        """
        derived = self._derive(shared, 16 + 12, UNMASKING_ENCRYPTION, u, rest=framed(e_pk))
        return AESGCM(derived[:16]), derived[16:]

    def end_key(self, shared: bytes, u: int, c_pk: bytes) -> bytes:
        """The key of the end of u's session; it is made in round 0, so no roster is in it."""
        return _hkdf(shared, 32, framed(SESSION_END, self.params_digest, id_bytes(u), c_pk))

    def commitment(self, u: int, b_u: bytes) -> bytes:
        """The commitment to a self-mask seed; hiding, as b_u is 32 uniform bytes (random oracle).

        It is made in round 0, so no roster is in it.
        """
        return sha256(COMMITMENT, self.params_digest, id_bytes(u), b_u)

    def _signed(self, round: int, u: int, body: bytes) -> bytes:
        digests = self.params_digest, self.roster_digest
        return framed(SIGNATURE, bytes([round]), *digests, id_bytes(u), body)

    def sign(self, key: Ed25519PrivateKey, round: int, u: int, body: bytes) -> bytes:
        """u's signature of one message: 64 bytes."""
        return key.sign(self._signed(round, u, body))

    def verify(
        self, key: Ed25519PublicKey, signature: bytes, round: int, u: int, body: bytes
    ) -> None:
        """Raises RemoteProtocolError unless `signature` is u's over exactly these fields."""
        try:
            key.verify(signature, self._signed(round, u, body))
        except InvalidSignature:
            raise RemoteProtocolError(
                f"in the name of client {u}: the signature of round {round} is not valid; "
                "expected one by its key, under the same parameters (session, context, directory, "
                "server key, ...), in answer to what was sent; Params.fingerprints of the two "
                "hosts, compared, say which parameter differs"
            ) from None


def _hkdf(secret: bytes, length: int, info: bytes) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=info).derive(secret)


def received_digest(senders: Buffer, ciphertexts: Buffer) -> bytes:
    """What a client was given in round 2: SHA-256 of the packed sender ids and the ciphertexts."""
    return sha256(RECEIVED, senders, ciphertexts)


def body_digest(*parts: Buffer) -> bytes:
    """SHA-256 of what a message says, its signature left out."""
    return sha256(BODY, *parts)
