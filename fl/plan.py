"""What the server tells the clients of one round: everything that influences a client's input.

    message = JSON header line ‖ weights as little-endian float32
    digest  = SHA-256(label ‖ message)

A client trains on what it decodes from the message, and puts the digest of that same message into
the context of the secure session. Clients that were told different things therefore cannot finish
one session together. This module neither trains nor sums.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np

from fl.errors import FLError, ModelError
from fl.model.vector import Vector

_LABEL = b"secagg/v1/fl-round-plan"


@dataclass(frozen=True)
class Terms:
    """The training terms of one round, the same for every client.

    optimizer: the client optimizer's configuration as JSON.
    weighted: whether a client counts by its number of examples, or as one.
    batch_size, epochs, shuffle: for clients that hold arrays.
    learning_rate: the client optimizer's in this round; None is the one of its configuration.
    """

    round: int
    seed: int
    batch_size: int
    epochs: int
    shuffle: bool
    weighted: bool
    optimizer: str
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ModelError(f"{name} is {value!r}: a whole number of at least 1 expected")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise ModelError(f"seed is {self.seed!r}: a whole number of at least 0 expected")
        rate = self.learning_rate
        if rate is not None and not 0 <= rate < math.inf:
            raise ModelError(f"learning_rate is {rate!r}: a finite number of at least 0 expected")


@dataclass(frozen=True, eq=False)
class RoundPlan:
    """One client's reading of the message: the terms, the weights (float32[d]), its digest."""

    terms: Terms
    weights: Vector
    digest: bytes


def write(terms: Terms, weights: Vector) -> bytes:
    """The message of one round. `weights` is the flat float32 vector of the model."""
    header = json.dumps({**asdict(terms), "length": weights.size}, sort_keys=True)
    return header.encode() + b"\n" + weights.astype("<f4").tobytes()


@lru_cache(maxsize=1)  # a simulation hands every client the same bytes: read and hashed once
def read(message: bytes) -> RoundPlan:
    """Decode a message. Raises FLError if it is not one."""
    head, newline, body = message.partition(b"\n")
    try:
        header = json.loads(head)
        length = header.pop("length")
        terms = Terms(**header)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FLError(f"not a round plan: {error}") from error
    if not newline or len(body) != 4 * length:
        raise FLError(f"a round plan of {length} weights with {len(body)} bytes of weights")
    weights = np.frombuffer(body, "<f4").astype(np.float32, copy=False)
    return RoundPlan(terms, weights, hashlib.sha256(_LABEL + message).digest())
