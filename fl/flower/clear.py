"""A sum in the clear: what a client sends, signed, and the server's part of a round of it.

    numbers = (delta, statistics, metrics, counts)     signature: of (session, message, u, numbers)

For comparison, and where only learning matters. A client sends this where the terms in its own
file say `sum = "plain"`, and never because a server asks. The server adds up in the order of the
clients, as `PlainSum` does, so that the weights are those of the simulation bit for bit.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from numpy.typing import NDArray

import secagg
from fl.aggregators.interface import SumShape, Vectors
from fl.aggregators.plain import add_up
from fl.errors import FLError, SecAggError, TooFewClients
from fl.flower.exchange import Exchange, Played
from fl.flower.records import Answer, Clear, Closing

_LABEL = b"secagg/v1/fl-clear"
_NAMES = ("delta", "statistics", "metrics", "counts")
_REASONS = 5  # the numbers of "counts" before those of the metrics: the weight, and four reasons

_Written = tuple[bytes | list[str], ...]
_decoder: msgspec.msgpack.Decoder[_Written] = msgspec.msgpack.Decoder(_Written)


def clear_of(
    session: bytes,
    digest: bytes,
    u: int,
    vectors: Vectors,
    key: Ed25519PrivateKey,
    certificate: bytes,
) -> Clear:
    """What a client sends. vectors: by its side of a `PlainSum`. digest: of the message."""
    numbers = msgspec.msgpack.encode([_written(vectors[name]) for name in _NAMES])
    signature = key.sign(_signed(session, digest, u, numbers))
    return Clear(session, u, numbers, signature, certificate)


class ClearSession:
    """The server's part: the numbers of the first n clients that answer."""

    def __init__(
        self,
        exchange: Exchange,
        directory: secagg.Directory,
        shape: SumShape,
        digest: bytes,
        threshold: int,
    ) -> None:
        self._exchange = exchange
        self._directory = directory
        self._shape = shape
        self._digest = digest
        self._threshold = threshold
        self.refused: frozenset[int] = frozenset()
        self.worked = self.seconds = 0.0

    def run(self, begins: Mapping[int, bytes]) -> Played:
        """Ask, and add up. Raises TooFewClients."""
        started = time.perf_counter()
        given: dict[int, Vectors] = {}
        self._exchange.trained(0, self._shape.n)
        for node, answer in self._exchange.first_answers(begins):
            try:
                u, vectors = self._checked(answer)
            except (FLError, SecAggError) as error:
                self._exchange.refuse(node, error)
                continue
            given.setdefault(u, vectors)
            self._exchange.trained(len(given), self._shape.n)
            if len(given) == self._shape.n:
                break
        self.worked = time.perf_counter() - started
        if len(given) < self._threshold:
            raise TooFewClients(
                f"{len(given)} clients finished, expected at least t={self._threshold}"
            )
        survivors = sorted(given)
        sums = add_up(given[u] for u in survivors)
        return Played("plain", sums, survivors, survivors, {}, self._threshold)

    def ends(self) -> dict[int, Closing]:
        """Nothing: no node keeps anything of it."""
        return {}

    def _checked(self, answer: Answer) -> tuple[int, Vectors]:
        """A client and its numbers. Raises FLError and SecAggError for others than it signed."""
        if not isinstance(answer, Clear):
            raise FLError(f"a {type(answer).__name__}, expected numbers in the clear")
        identity = self._directory.identity(answer.u, answer.certificate)
        signed = _signed(answer.session, self._digest, answer.u, answer.numbers)
        try:
            Ed25519PublicKey.from_public_bytes(identity).verify(answer.signature, signed)
        except InvalidSignature:
            raise FLError(
                f"in the name of client {answer.u}: a signature that is not its"
            ) from None
        return answer.u, numbers_in(answer.numbers, self._shape)


def numbers_in(numbers: bytes, shape: SumShape) -> Vectors:
    """A client's vectors, of this shape, all finite. Raises FLError for others."""
    try:
        written = _decoder.decode(numbers)
        arrays = [_read(each) for each in written]
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, ZeroDivisionError) as error:
        raise FLError(f"{len(numbers)} bytes are no numbers: {type(error).__name__}") from None
    metrics = sum(metric.size for metric in shape.metrics)
    expected = (*shape.sizes, metrics, _REASONS + len(shape.metrics))
    if (sizes := tuple(len(array) for array in arrays)) != expected:
        raise FLError(f"{sizes} numbers of a client, expected {expected}")
    if not all(array.dtype == object or np.isfinite(array).all() for array in arrays):
        raise FLError("numbers of a client that are not finite, expected finite ones")
    vectors = dict(zip(_NAMES, arrays, strict=True))
    counts = vectors["counts"].tolist()
    if not all(type(n) is Fraction and n.denominator == 1 and n >= 0 for n in counts) or (
        max(counts[1:]) > 1
    ):
        raise FLError("counts of a client that are none, expected whole numbers from 0")
    vectors["counts"] = np.array([int(n) for n in counts], object)
    return vectors


def _signed(session: bytes, digest: bytes, u: int, numbers: bytes) -> bytes:
    return _LABEL + session + digest + u.to_bytes(8, "big") + hashlib.sha256(numbers).digest()


def _written(array: NDArray[Any]) -> bytes | list[str]:
    """float64 as it is; whole numbers and Fractions as texts, exactly."""
    if array.dtype != object:
        return array.astype("<f8").tobytes()
    return ["{}/{}".format(*Fraction(number).as_integer_ratio()) for number in array.tolist()]


def _read(written: bytes | Sequence[str]) -> NDArray[Any]:
    if isinstance(written, bytes):
        return np.frombuffer(written, "<f8").astype(np.float64)
    # not Fraction(text), which takes exponents: a short text would be a number of any length
    ratios = (text.partition("/") for text in written)
    numbers = np.empty(len(written), object)
    numbers[:] = [Fraction(int(over), int(under)) for over, _, under in ratios]
    return numbers
