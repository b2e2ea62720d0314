"""What a client seals for the server in round 4: its shares, for the holder of the private key.

    sealed = e_pk ‖ AES-GCM(HKDF(X25519(e_sk, server key), info with u and e_pk), shares)

The server key is from the client's own configuration: who relays or records the frames, a server of
its own at hand, cannot open a sum. It is HPKE's base mode (RFC 9180) in our labels; not HPKE
itself, because that draws its own randomness, and ours is an argument.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from secagg.curve import check_x25519
from secagg.errors import RemoteProtocolError
from secagg.keys import Transcript
from secagg.sharing.shamir import Rand


def seal_for_server(
    transcript: Transcript, server_key: bytes, u: int, shares: bytes, rand: Rand
) -> memoryview:
    """The shares of round 4 of u, for the holder of the server's private key alone."""
    e_sk = X25519PrivateKey.from_private_bytes(rand(32))
    e_pk = e_sk.public_key().public_bytes_raw()
    shared = e_sk.exchange(X25519PublicKey.from_public_bytes(server_key))
    aead, nonce = transcript.unmasking_key(shared, e_pk, u)
    return memoryview(e_pk + aead.encrypt(nonce, shares, None))


def open_at_server(
    transcript: Transcript, key: X25519PrivateKey, u: int, sealed: memoryview
) -> bytes:
    """What u sealed for the server; RemoteProtocolError if this key does not open it."""
    e_pk = bytes(sealed[:32])
    check_x25519(e_pk)
    shared = key.exchange(X25519PublicKey.from_public_bytes(e_pk))
    aead, nonce = transcript.unmasking_key(shared, e_pk, u)
    try:
        return aead.decrypt(nonce, sealed[32:], None)
    except InvalidTag:
        raise RemoteProtocolError(
            f"the shares that client {u} signed do not open, expected them sealed to this "
            "server's key"
        ) from None
