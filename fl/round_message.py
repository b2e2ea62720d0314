"""What the server sends to every client of a round, whatever the round is for.

    message = JSON header line ‖ body          context = SHA-256(label ‖ message)

The header says what is to be done with the client's data, how the result is summed, and what the
aggregator announces; the body is arrays. A client works on what it reads from these bytes, and puts
the digest of the same bytes into the context of the secure session. Clients that were told
different things therefore cannot finish one session together.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fl.errors import FLError

_LABEL = b"secagg/v1/fl-round"


@dataclass(frozen=True, eq=False, kw_only=True)
class RoundMessage:
    """The message of one round.

    kind: what kind of work it is for.
    round, seed: with the client's number, they name its streams of randomness.
    weighted: whether a client may count by another weight than 1.
    task: what the client is to do, as JSON. body: the arrays for it.
    announced: what the aggregator's server tells the clients.
    """

    kind: str
    round: int
    seed: int
    weighted: bool
    task: Mapping[str, Any]
    body: bytes = field(default=b"", repr=False)
    announced: tuple[float, ...] = ()

    def write(self) -> bytes:
        """The bytes to send."""
        header = {name: value for name, value in asdict(self).items() if name != "body"}
        return json.dumps(header, sort_keys=True).encode() + b"\n" + self.body


@dataclass(frozen=True, eq=False, kw_only=True)
class Received(RoundMessage):
    """A client's reading of a message. digest: of its bytes, for the session's context."""

    digest: bytes


def read(message: bytes, kind: str) -> Received:
    """Decode a message. Raises FLError if it is not one of that kind."""
    head, newline, body = message.partition(b"\n")
    try:
        header = json.loads(head)
        announced = tuple(float(number) for number in header.pop("announced"))
        received = Received(**header, body=body, announced=announced, digest=digest_of(message))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FLError(f"not a message of a round: {error}") from error
    if not newline or received.kind != kind:
        raise FLError(f"a message of a round of {received.kind!r}, expected {kind!r} and a body")
    _check_numbers(received)
    return received


def kind_of(message: bytes) -> str:
    """The kind of work that a message says it is for. Raises FLError if it says none."""
    try:
        kind = json.loads(message.partition(b"\n")[0])["kind"]
    except (ValueError, TypeError, KeyError) as error:
        raise FLError(f"not a message of a round: {error}") from error
    if not isinstance(kind, str):
        raise FLError(f"a message of a round of {kind!r}, expected the name of a kind")
    return kind


def digest_of(message: bytes) -> bytes:
    """The digest of a message, 32 bytes."""
    return hashlib.sha256(_LABEL + message).digest()


def _check_numbers(received: Received) -> None:
    for name, kind in (("round", int), ("seed", int), ("weighted", bool), ("task", dict)):
        value = getattr(received, name)
        if type(value) is not kind:
            raise FLError(
                f"a message of a round whose {name} is a {type(value).__name__}, expected "
                f"{kind.__name__}"
            )
    if not all(map(math.isfinite, received.announced)):
        raise FLError(
            f"a message of a round that announces {received.announced}, expected finite numbers"
        )
