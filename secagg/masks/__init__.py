"""Masks: what a seed is expanded to, and how the masks of a pair are added so that they cancel.

    y_u = x_u + PRG(b_u) + Σ_{v<u} PRG(s_uv) − Σ_{v>u} PRG(s_uv)   in Z_2^w

This module can be used alone.  Two clients that share a seed hide their vectors from everybody
else, and the sum is what it was:

    >>> import numpy as np, secrets
    >>> from secagg import masks
    >>> seed = secrets.token_bytes(masks.SEED_BYTES)         # from a key agreement of 3 and 8
    >>> x3, x8 = np.array([1, 2], np.uint32), np.array([10, 20], np.uint32)
    >>> masks.add_pairwise_masks([x3], 3, {8: seed})         # in place
    >>> masks.add_pairwise_masks([x8], 8, {3: seed})
    >>> (x3 + x8).tolist()
    [11, 22]

What it does not do: agree on seeds, or recover from a client that disappears (`Client`, `Server`).
A seed used for two different vectors reveals their difference: it serves one session.

Rooms: `prg` is the stream cipher, `aegis` another one, `suites` their names in `Params`, `pairwise`
the signs, `jobs` into how many jobs masks are divided.  May be imported from it: what is in
`__all__`.  It uses `keys` and `packing`.
"""

from secagg.keys import SEED_BYTES
from secagg.masks.pairwise import add_masks, add_pairwise_masks, expand, sign
from secagg.masks.prg import AesCtr, Prg

__all__ = ["SEED_BYTES", "AesCtr", "Prg", "add_masks", "add_pairwise_masks", "expand", "sign"]
