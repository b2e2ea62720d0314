"""Nothing of one client's input or keys is in an error, its causes, or a `repr`, whatever arrives.

A session in which every secret is a number or a byte that stands nowhere else is played over a wire
that changes one frame; then all that was said, and all states, are searched for them.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

import secagg
from secagg import ExactFloats, Quantizer, SecAggError
from secagg.sharing.shamir import decode_shares, encode_shares

SPECS = (secagg.VectorSpec("x", 2, 64),)
SECRET = 7_777_107_777
KEY = b"K" * 32  # identity keys, and what rand gives: "KKKK", 4b4b4b4b, 75, 75, 75
MARKS = (str(SECRET), "KKKK", "4b4b4b4b", "75, 75, 75")


def chain(error: BaseException | None, seen: tuple[Any, ...] = ()) -> Iterator[str]:
    """What an error says, and all that it came from."""
    if error is None or error in seen:
        return
    yield f"{error!r} {error} {error.args} {getattr(error, '__notes__', '')}"
    for other in (error.__cause__, error.__context__):
        yield from chain(other, (*seen, error))


def shown(thing: object, depth: int = 4) -> Iterator[str]:
    """The `repr` of a thing and of what hangs on it, but for bare values, which only their
    owner prints."""
    yield repr(thing)
    if depth and type(thing).__module__.startswith("secagg"):
        for value in getattr(thing, "__dict__", {}).values():
            if type(value).__module__.startswith("secagg"):
                yield from shown(value, depth - 1)


class Session:
    """Four clients and a server; the frame number `changed` has one bit flipped on its way."""

    def __init__(self, changed: int, bit: int) -> None:
        self.said: list[str] = []
        self._left, self._bit = changed, bit
        keys = {u: Ed25519PrivateKey.from_private_bytes(KEY[:-1] + bytes([u])) for u in range(4)}
        directory = {u: key.public_key().public_bytes_raw() for u, key in keys.items()}
        private = X25519PrivateKey.from_private_bytes(KEY)
        public = private.public_key().public_bytes_raw()
        params = secagg.Params(4, SPECS, session=b"private of private values", server_key=public)
        self.server = secagg.Server(params, directory=directory, private_key=private)
        drawn = iter(range(10**6))
        self.clients = {
            u: secagg.Client(
                u,
                params,
                np.array([SECRET, u], "<u8"),
                signing_key=keys[u],
                directory=directory,
                rand=lambda size: b"K" * (size - 3) + next(drawn).to_bytes(3, "little"),
            )
            for u in range(4)
        }

    def play(self) -> str:
        """All rounds, as far as they go; everything that was said."""
        outbox: dict[int, Any] = {}
        for round in range(5):
            for u, client in self.clients.items():
                with self.heard():
                    if round == 0:
                        reply = client.start()
                    elif u in outbox:
                        reply = client.receive(self.carried(outbox[u]))
                    else:
                        continue
                    self.server.receive(u, self.carried(reply))
            with self.heard():
                outbox = self.server.close_round()
            for party in (*self.clients.values(), self.server):
                self.said += shown(party)
        return "\n".join(self.said)

    def carried(self, message: Any) -> bytes:
        """The frame of a message as it arrives."""
        frame = bytearray(secagg.wire.encode(message))
        self._left -= 1
        if self._left == 0:
            frame[self._bit // 8 % len(frame)] ^= 1 << self._bit % 8
        return bytes(frame)

    def heard(self) -> Any:
        """Notes errors of this package, and goes on."""
        said = self.said

        class Heard:
            def __enter__(self) -> None:
                pass

            def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
                said.extend(chain(error))
                return isinstance(error, SecAggError)

        return Heard()


@given(st.integers(1, 36), st.integers(0, 2**14))
def test_whatever_the_wire_does_nothing_is_said_of_inputs_and_keys(changed: int, bit: int) -> None:
    said = Session(changed, bit).play()
    assert "Client" in said
    for mark in MARKS:
        assert mark not in said


def test_the_search_finds_what_is_said() -> None:
    """The other tests can fail."""
    session = Session(0, 0)
    try:
        raise ValueError(SECRET)
    except ValueError as cause:
        with session.heard():
            raise SecAggError(f"a key {KEY!r}") from cause
    said = "\n".join(session.said)
    assert MARKS[0] in said
    assert MARKS[1] in said


SHARE = encode_shares(np.full((1, 17), 65520)).tobytes()
CALLS = {
    "a weight": lambda: Quantizer(2, 32, 1.0, max_weight=9).encode([1.0], SECRET),
    "a value that is not finite": lambda: Quantizer(2, 32, 1.0).encode([SECRET, np.nan]),
    "values of two dimensions": lambda: Quantizer(2, 32, 1.0).encode([[SECRET]]),
    "an exact weight": lambda: ExactFloats(2, max_weight=9).encode([1.0], SECRET),
    "beyond float32": lambda: ExactFloats(2).encode([SECRET * 1e30]),
    "an input of another type": lambda: client(np.array([SECRET, 0], "<i8")),
    "of another length": lambda: client(np.array([SECRET], "<u8")),
    "by another name": lambda: client({"y": np.array([SECRET, 0], "<u8")}),
    "a list": lambda: client([SECRET, 0]),
    "a digit of a share": lambda: decode_shares(SHARE[:-2] + b"\xff\xff"),
    "a key of another length": lambda: secagg.masks.expand(b"K" * 31, 2, np.dtype("<u8")),
}


def client(vectors: Any) -> secagg.Client:
    key = Ed25519PrivateKey.from_private_bytes(KEY)
    directory = {0: key.public_key().public_bytes_raw()}
    public = X25519PrivateKey.from_private_bytes(KEY).public_key().public_bytes_raw()
    params = secagg.Params(4, SPECS, server_key=public)
    return secagg.Client(0, params, vectors, signing_key=key, directory=directory)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_what_a_host_does_wrong_is_said_without_its_data(call: Any) -> None:
    with pytest.raises(SecAggError) as caught:
        call()
    said = "\n".join(chain(caught.value))
    for mark in (*MARKS, "65535"):
        assert mark not in said
