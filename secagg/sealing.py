"""What is sealed: a dealer's shares for one holder (round 1), a holder's for the server (round 4).

    round 1   nonce ‖ AES-GCM(key of u → v, id u ‖ id v ‖ share of s_sk_u ‖ share of b_u)
    round 4   e_pk ‖ AES-GCM(HKDF(X25519(e_sk, server key), info with u and e_pk), shares)

In round 1 the ids inside repeat what the key and the associated data say: Figure 4 has them there.
In round 4 the server key is from the client's own configuration: who relays or records the frames,
a server of its own at hand, cannot open a sum. It is HPKE's base mode (RFC 9180) in our labels;
not HPKE itself, because that draws its own randomness, and ours is an argument.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from secagg.curve import check_x25519
from secagg.errors import RemoteProtocolError
from secagg.keys import Binding, id_bytes
from secagg.messages import NONCE_BYTES
from secagg.shamir import SHARE_BYTES, Rand, decode_shares
from secagg.states import Held, MaskKeyShare, SelfMaskShare


def seal_shares(
    binding: Binding, channel: bytes, u: int, v: int, shares: bytes, rand: Rand
) -> bytes:
    """The ciphertext of u for v, under their X25519 secret: CIPHERTEXT_BYTES bytes."""
    nonce, plaintext = rand(NONCE_BYTES), id_bytes(u) + id_bytes(v) + shares
    sealed = binding.aead(channel, u, v)
    return nonce + sealed.encrypt(nonce, plaintext, binding.associated_data(u, v))


def open_shares(binding: Binding, channel: bytes, u: int, v: int, ciphertext: bytes) -> Held | None:
    """What u dealt to v, or None: u's garbage costs u a holder, not v the session."""
    nonce, sealed = ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:]
    try:
        plaintext = binding.aead(channel, u, v).decrypt(
            nonce, sealed, binding.associated_data(u, v)
        )
        if plaintext[:16] != id_bytes(u) + id_bytes(v):
            return None
        decode_shares(plaintext[16:])
    except (InvalidTag, RemoteProtocolError):
        return None
    s_share, b_share = plaintext[16 : 16 + SHARE_BYTES], plaintext[16 + SHARE_BYTES :]
    return Held(MaskKeyShare(s_share), SelfMaskShare(b_share))


def seal_for_server(
    binding: Binding, server_key: bytes, u: int, shares: bytes, rand: Rand
) -> memoryview:
    """The shares of round 4 of u, for the holder of the server's private key alone."""
    e_sk = X25519PrivateKey.from_private_bytes(rand(32))
    e_pk = e_sk.public_key().public_bytes_raw()
    shared = e_sk.exchange(X25519PublicKey.from_public_bytes(server_key))
    aead, nonce = binding.unmasking_key(shared, e_pk, u)
    return memoryview(e_pk + aead.encrypt(nonce, shares, None))


def open_at_server(binding: Binding, key: X25519PrivateKey, u: int, sealed: memoryview) -> bytes:
    """What u sealed for the server; RemoteProtocolError if this key does not open it."""
    e_pk = bytes(sealed[:32])
    check_x25519(e_pk)
    shared = key.exchange(X25519PublicKey.from_public_bytes(e_pk))
    aead, nonce = binding.unmasking_key(shared, e_pk, u)
    try:
        return aead.decrypt(nonce, sealed[32:], None)
    except InvalidTag:
        raise RemoteProtocolError(
            f"the shares that client {u} signed do not open: expected them sealed to this "
            "server's key"
        ) from None
