"""What a server and a node send each other, as bytes: who carries them need not read them.

    Begin   the round's message, the shape of the sum, the terms    ->  Reply: AdvertiseKeys
                               or, where a sum in the clear is agreed,  Clear: the client's numbers
    Step    a frame of the protocol's server                        ->  Reply: the client's frame
    End     the server's word that a session is over                ->  Reply: nothing
                                                             or any ->  Refusal: the kind of error

A session's first message carries the end of the one before, so that no message is for that alone.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from fl.aggregators.contribution import Metric
from fl.aggregators.interface import SumShape
from fl.errors import FLError

Term = int | float | str | None


class Shape(msgspec.Struct, frozen=True, array_like=True):
    """A `SumShape` on the wire."""

    n: int
    sizes: tuple[int, int]
    metrics: tuple[tuple[str, int, float | None], ...]
    weighted: bool

    @classmethod
    def of(cls, shape: SumShape) -> Shape:
        """The shape to send."""
        metrics = tuple((m.name, m.size, m.most) for m in shape.metrics)
        return cls(shape.n, shape.sizes, metrics, shape.weighted)

    def read(self) -> SumShape:
        """The shape as both halves of a round take it."""
        metrics = tuple(Metric(*metric) for metric in self.metrics)
        return SumShape(self.n, self.sizes, metrics, self.weighted)


class Closing(msgspec.Struct, frozen=True, array_like=True):
    """The end of a session: its id, and the protocol's SessionEnd for this client."""

    session: bytes
    frame: bytes


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """The first message of a session.

    message: of the round. terms: what the server takes to be agreed on; the client compares them
    with its own, and takes none of them. ended: the session before. conditions: names of
    `fl.population` that the client's device must meet; it looks for itself.
    """

    session: bytes
    message: bytes
    shape: Shape
    terms: dict[str, Term]
    ended: Closing | None = None
    conditions: tuple[str, ...] = ()


class Step(msgspec.Struct, frozen=True, tag="step"):
    """A message of the protocol's server, to a client of a session that has begun."""

    session: bytes
    frame: bytes


class End(msgspec.Struct, frozen=True, tag="end"):
    """The end of the last session."""

    ended: Closing


class Reply(msgspec.Struct, frozen=True, tag="reply"):
    """A client's message of the protocol; empty for an `End`."""

    session: bytes
    frame: bytes


class Clear(msgspec.Struct, frozen=True, tag="clear"):
    """A client's numbers as they are, where its own terms say so: `clear` writes and signs them."""

    session: bytes
    u: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    numbers: bytes
    signature: bytes
    certificate: bytes = b""


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """A client that does not answer. reason: the name of the error, never its text."""

    reason: str


Request = Begin | Step | End
Answer = Reply | Clear | Refusal

_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)

M = TypeVar("M")


def write(record: Request | Answer) -> bytes:
    """The bytes to send."""
    return _encoder.encode(record)


def request_in(record: bytes) -> Request:
    """What a server sent. Raises FLError for bytes that are no request."""
    return _decoded(_requests, record, "request")


def answer_in(record: bytes) -> Answer:
    """What a node sent. Raises FLError for bytes that are no answer."""
    return _decoded(_answers, record, "answer")


def _decoded(decoder: msgspec.msgpack.Decoder[M], record: bytes, kind: str) -> M:
    try:
        return decoder.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FLError(f"{len(record)} bytes are no {kind}: {error}") from None
