"""A state as an encrypted blob of one generation, and back.

    blob = layout ‖ generation ‖ nonce ‖ AES-GCM(key, plaintext)
    associated data = framed(label, whose state it is, layout, generation)

What the plaintext is, and what a generation means, is for the client's and the server's `snapshot`.
"""

from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from secagg.errors import LocalProtocolError
from secagg.keys import Buffer, framed

LAYOUT = 4
"""Changes whenever a state's fields do: a blob of another layout is refused, not guessed at."""

_NONCE_BYTES = 12
_HEADER_BYTES = 1 + 8 + _NONCE_BYTES
_MAX_BYTES = 2**31 - 1 - 16


def check_key(key: bytes) -> None:
    """LocalProtocolError unless this can be the key of snapshots."""
    if len(key) not in (16, 32):
        raise LocalProtocolError(f"a snapshot key of {len(key)} bytes, expected 16 or 32")


def seal(key: bytes, plaintext: bytes, generation: int, *identity: bytes) -> bytes:
    """The blob of this generation, for whoever is `identity`: a label and what follows it."""
    check_key(key)
    if len(plaintext) > _MAX_BYTES:
        raise LocalProtocolError(f"a state of {len(plaintext)} bytes, expected at most 2^31 - 17")
    header, nonce = _header(generation), token_bytes(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, plaintext, framed(*identity, header))
    return b"".join((header, nonce, sealed))


def unseal(key: bytes, blob: Buffer, generation: int, *identity: bytes) -> bytes:
    """What was sealed; LocalProtocolError unless key, generation and identity are the same."""
    check_key(key)
    raw = bytes(blob)
    if len(raw) < _HEADER_BYTES or raw[0] != LAYOUT:
        seen = f"layout {raw[0]}" if len(raw) >= _HEADER_BYTES else f"{len(raw)} bytes"
        raise LocalProtocolError(f"a snapshot of {seen}, expected layout {LAYOUT}")
    seen_generation = int.from_bytes(raw[1:9], "little")
    if seen_generation != generation:
        raise LocalProtocolError(
            f"the snapshot is of generation {seen_generation}, expected the host's, {generation}"
        )
    nonce, sealed = raw[9:_HEADER_BYTES], raw[_HEADER_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, sealed, framed(*identity, _header(generation)))
    except InvalidTag:
        raise LocalProtocolError(
            "the snapshot does not open, expected this party's, of this session and key, as it was "
            "written"
        ) from None


def _header(generation: int) -> bytes:
    return bytes([LAYOUT]) + generation.to_bytes(8, "little")
