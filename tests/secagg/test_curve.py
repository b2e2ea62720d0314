"""Which encodings of a public key are accepted, against edwards25519 in plain integers."""

from collections.abc import Callable

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from secagg.curve import (
    LOW_ORDER_U,
    SMALL_ORDER_Y,
    D,
    P,
    check_ed25519,
    check_x25519,
)
from secagg.errors import RemoteProtocolError

L = 2**252 + 27742317777372353535851937790883648493  # the order of the base point
SIGN = 2**255


def raw(number: int) -> bytes:
    return number.to_bytes(32, "little")


def inverse(a: int) -> int:
    return pow(a, -1, P)


def add(A: tuple[int, int], B: tuple[int, int]) -> tuple[int, int]:
    """The addition law of −x² + y² = 1 + d·x²·y², complete because d is no square."""
    (x1, y1), (x2, y2) = A, B
    product = D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * inverse(1 + product) % P,
        (y1 * y2 + x1 * x2) * inverse(1 - product) % P,
    )


def multiply(k: int, A: tuple[int, int]) -> tuple[int, int]:
    total = (0, 1)
    while k:
        total, A, k = add(total, A) if k & 1 else total, add(A, A), k >> 1
    return total


def root(square: int) -> int | None:
    """A square root mod p ≡ 5 mod 8, or None."""
    candidate = pow(square, (P + 3) // 8, P)
    for r in (candidate, candidate * pow(2, (P - 1) // 4, P) % P):
        if r * r % P == square % P:
            return r
    return None


def x_of(y: int) -> int | None:
    return root((y * y - 1) * inverse(D * y * y + 1))


def torsion() -> list[tuple[int, int]]:
    """The eight points with 8·T = 0: all multiples of one of order 8, found as L·(any point)."""
    for y in range(2, 100):
        x = x_of(y)
        if x is not None:
            T = multiply(L, (x, y))
            if multiply(4, T) != (0, 1):
                return [multiply(i, T) for i in range(8)]
    raise AssertionError("no point of order 8 found")


TORSION = torsion()


def refuses(check: Callable[[bytes], None], encoding: bytes) -> bool:
    try:
        check(encoding)
    except RemoteProtocolError:
        return True
    return False


def test_the_small_order_constants_are_the_torsion_points() -> None:
    assert len(set(TORSION)) == 8
    assert all(multiply(8, T) == (0, 1) for T in TORSION)
    assert {y for _, y in TORSION} == SMALL_ORDER_Y


def test_the_low_order_constants_are_the_torsion_points_and_the_two_of_the_twist() -> None:
    # u = (1+y)/(1−y); the point at infinity (y = 1) is sent as u = 0, and u = −1 lies on the twist.
    on_the_curve = {(1 + y) * inverse(1 - y) % P for _, y in TORSION if y != 1}
    assert on_the_curve | {P - 1} == LOW_ORDER_U
    assert root((P - 1) ** 3 + 486662 * (P - 1) ** 2 + P - 1) is None


def test_cryptography_refuses_an_exchange_with_exactly_the_low_orders() -> None:
    sk = X25519PrivateKey.generate()
    neighbours = {(u + step) % P for u in LOW_ORDER_U for step in (-1, 0, 1)}
    refused = set()
    for u in neighbours:
        try:
            sk.exchange(X25519PublicKey.from_public_bytes(raw(u)))
        except ValueError:
            refused.add(u)
    assert refused == LOW_ORDER_U
    assert {u for u in neighbours if refuses(check_x25519, raw(u))} == LOW_ORDER_U


@given(st.binary(min_size=32, max_size=32))
def test_an_honest_x25519_key_is_accepted_and_its_aliases_are_not(seed: bytes) -> None:
    key = X25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    check_x25519(key)
    alias = raw(int.from_bytes(key, "little") | SIGN)
    peer = X25519PrivateKey.generate()
    same = [peer.exchange(X25519PublicKey.from_public_bytes(k)) for k in (key, alias)]
    assert same[0] == same[1]  # so two encodings really are one key
    assert refuses(check_x25519, alias)


@given(st.integers(P, 2**256 - 1))
def test_a_u_that_is_not_reduced_is_refused(u: int) -> None:
    with pytest.raises(RemoteProtocolError, match="not canonical"):
        check_x25519(raw(u))


@given(st.binary(min_size=32, max_size=32))
def test_an_honest_ed25519_key_is_accepted(seed: bytes) -> None:
    check_ed25519(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())


@given(st.integers(2, P - 1), st.booleans())
def test_an_ed25519_key_is_accepted_iff_it_decodes(y: int, sign: bool) -> None:
    expected = x_of(y) is not None and y not in SMALL_ORDER_Y
    assert refuses(check_ed25519, raw(y | sign * SIGN)) is not expected


@given(st.integers(P, 2**255 - 1), st.booleans())
def test_a_y_that_is_not_reduced_is_refused(y: int, sign: bool) -> None:
    with pytest.raises(RemoteProtocolError, match="not canonical"):
        check_ed25519(raw(y | sign * SIGN))


def test_every_encoding_of_a_small_order_point_is_refused() -> None:
    lifted = {y + lift for _, y in TORSION for lift in (0, P) if y + lift < 2**255}
    encodings = {raw(y | sign) for y in lifted for sign in (0, SIGN)}
    assert len(encodings) == 14  # y = 0, 1, p−1, ±y8 and p, p+1, each with either sign
    assert all(refuses(check_ed25519, encoding) for encoding in encodings)


def test_why_a_small_order_key_is_refused_it_signs_every_message() -> None:
    nobody = Ed25519PublicKey.from_public_bytes(raw(1))
    for message in (b"yes", b"no"):
        nobody.verify(raw(1) + bytes(32), message)  # R = A = 0, s = 0
    with pytest.raises(InvalidSignature):
        Ed25519PrivateKey.generate().public_key().verify(raw(1) + bytes(32), b"yes")


@pytest.mark.parametrize("check", [check_x25519, check_ed25519])
@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_has_32_bytes(check: Callable[[bytes], None], length: int) -> None:
    with pytest.raises(RemoteProtocolError, match=f"has {length} bytes, expected 32"):
        check(bytes(length))
