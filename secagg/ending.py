"""How a server tells a client that the session is over, so that nobody else can tell it.

    key = HKDF(X25519(c_sk, server key), framed(label, params digest, u, c_pk))
    tag = HMAC-SHA256(key, framed(label, summed))

Both sides have the key without a further message: the client advertises c_pk, the server key is in
the parameters.  An end is a convenience: a client that receives one may erase its state and begin
another session; one that does not only keeps its state for longer.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from secagg.errors import RemoteProtocolError
from secagg.keys import SESSION_END, Transcript, framed
from secagg.messages import SessionEnd


def end_key(
    transcript: Transcript, private: X25519PrivateKey, public: bytes, u: int, c_pk: bytes
) -> bytes:
    """The key of u's end, 32 bytes: of c_sk and the server key, or of the other halves."""
    shared = private.exchange(X25519PublicKey.from_public_bytes(public))
    return transcript.end_key(shared, u, c_pk)


def end_for(key: bytes, summed: bool) -> SessionEnd:
    """The end of a session for the client that shares this key."""
    return SessionEnd(summed, _mac(key, summed).finalize())


def check_end(key: bytes, message: SessionEnd) -> None:
    """RemoteProtocolError unless the server made this end for the client with this key."""
    try:
        _mac(key, message.summed).verify(message.tag)
    except InvalidSignature:
        raise RemoteProtocolError(
            "an end of the session with a wrong tag, expected the server's"
        ) from None


def _mac(key: bytes, summed: bool) -> HMAC:
    mac = HMAC(key, SHA256())
    mac.update(framed(SESSION_END, bytes([summed])))
    return mac
