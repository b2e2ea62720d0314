"""Which encodings of a public key are accepted: one per point, and no point of small order.

    X25519   a key is u, 32 bytes little-endian;             accepted: u < p, u ∉ LOW_ORDER_U
    Ed25519  a key is y with the sign of x as its top bit;   accepted: y < p, y ∉ SMALL_ORDER_Y,
             and some x has −x² + y² = 1 + d·x²·y²           (p = 2²⁵⁵ − 19, d = −121665/121666)

A library that implements RFC 7748 reads u mod p and ignores the top bit, so one point has several
encodings; a low-order u makes the shared secret zero whatever the other key is. `cryptography`
loads any 32 bytes as an Ed25519 key, and a key of small order verifies one fixed signature on
every message. These checks run on public data only, so nothing here is constant-time. They do not
refuse a point of large order with a small-order part added: its owner gains nothing from it.
"""

from typing import Final

from secagg.errors import LocalProtocolError, RemoteProtocolError

P: Final = 2**255 - 19
D: Final = -121665 * pow(121666, -1, P) % P

_U8: Final = 0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F
_U8_INVERSE: Final = 0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0
_Y8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7

LOW_ORDER_U: Final = frozenset({0, 1, P - 1, _U8, _U8_INVERSE})
"""The u-coordinates of order 1, 2, 4 and 8, on the curve and on its twist."""

SMALL_ORDER_Y: Final = frozenset({0, 1, P - 1, _Y8, P - _Y8})
"""The y-coordinates of the eight points with 8·A = 0; both signs of x are refused."""


def check_x25519(raw: bytes) -> None:
    """Raise RemoteProtocolError unless `raw` is the canonical encoding of a u of large order."""
    u = _integer(raw, "X25519")
    if u >= P:
        raise RemoteProtocolError("an X25519 public key is not canonical, expected u < 2^255 - 19")
    if u in LOW_ORDER_U:
        raise RemoteProtocolError(
            f"an X25519 public key of low order, {raw.hex()}, expected a large one"
        )


def check_server_key(raw: bytes) -> None:
    """LocalProtocolError unless `raw` is empty, or can be a server's X25519 public key."""
    if type(raw) is not bytes:
        raise LocalProtocolError(f"the server's key is {type(raw).__name__}, expected 32 bytes")
    if not raw:
        return
    try:
        check_x25519(raw)
    except RemoteProtocolError as error:
        raise LocalProtocolError(f"the server's key: {error}") from None


def check_ed25519(raw: bytes) -> None:
    """Raise RemoteProtocolError unless `raw` is the canonical encoding of a point of large order.

    The two encodings of a point with x = 0 and the sign bit set are refused with the small orders.
    """
    y = _integer(raw, "Ed25519") & (2**255 - 1)
    if y >= P:
        raise RemoteProtocolError("an Ed25519 public key is not canonical, expected y < 2^255 - 19")
    if y in SMALL_ORDER_Y:
        raise RemoteProtocolError(
            f"an Ed25519 public key of small order, {raw.hex()}, expected a large one"
        )
    if not _on_curve(y):
        raise RemoteProtocolError(
            f"an Ed25519 public key is {raw.hex()}, expected a point of the curve"
        )


def _integer(raw: bytes, kind: str) -> int:
    if len(raw) != 32:
        raise RemoteProtocolError(f"an {kind} public key has {len(raw)} bytes, expected 32")
    return int.from_bytes(raw, "little")


def _on_curve(y: int) -> bool:
    """Whether x² = (y² − 1)/(d·y² + 1) has a root: Euler's criterion, without the division.

    u/v and u·v differ by the square v², and d is no square, so v = d·y² + 1 is never 0.
    """
    return pow((y * y - 1) * (D * y * y + 1), (P - 1) // 2, P) == 1
