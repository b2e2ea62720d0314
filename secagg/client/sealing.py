"""A dealer's shares for one holder: sealed in round 1, opened and checked in round 2.

    ciphertext = nonce ‖ AES-GCM(key of u → v, id u ‖ id v ‖ share of s_sk_u ‖ share of b_u)

The ids inside repeat what the key and the associated data say: Figure 4 has them there.
"""

from cryptography.exceptions import InvalidTag

from secagg.client.states import Held, MaskKeyShare, SelfMaskShare
from secagg.errors import RemoteProtocolError
from secagg.keys import Transcript, id_bytes
from secagg.messages import NONCE_BYTES
from secagg.sharing.shamir import SHARE_BYTES, Rand, decode_shares


def seal_shares(
    transcript: Transcript, channel: bytes, u: int, v: int, shares: bytes, rand: Rand
) -> bytes:
    """The ciphertext of u for v, under their X25519 secret: CIPHERTEXT_BYTES bytes."""
    nonce, plaintext = rand(NONCE_BYTES), id_bytes(u) + id_bytes(v) + shares
    sealed = transcript.aead(channel, u, v)
    return nonce + sealed.encrypt(nonce, plaintext, transcript.associated_data(u, v))


def open_shares(
    transcript: Transcript, channel: bytes, u: int, v: int, ciphertext: bytes
) -> Held | None:
    """What u dealt to v; None for garbage, for which u loses a holder and v does not abort."""
    nonce, sealed = ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:]
    try:
        plaintext = transcript.aead(channel, u, v).decrypt(
            nonce, sealed, transcript.associated_data(u, v)
        )
        # Fig. 4, round 4: the ids inside are u ‖ v.
        if plaintext[:16] != id_bytes(u) + id_bytes(v):
            return None
        # Not in Fig. 4: shares that are no field elements would spoil v's own last message.
        decode_shares(plaintext[16:])
    except (InvalidTag, RemoteProtocolError):
        return None
    s_share, b_share = plaintext[16 : 16 + SHARE_BYTES], plaintext[16 + SHARE_BYTES :]
    return Held(MaskKeyShare(s_share), SelfMaskShare(b_share))
