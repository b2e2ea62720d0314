"""What the server tells the clients of one round of training: all that influences their input.

    message = RoundMessage(terms, weights as little-endian float32)

This module neither trains nor sums.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fl import round_message
from fl.errors import FLError, ModelError
from fl.model.vector import Vector
from fl.round_message import Received, RoundMessage
from fl.whole_numbers import whole

KIND = "training"
_OF_EVERY_ROUND = ("round", "seed", "weighted")  # what stands in the header of every message


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
        for name, least in (("batch_size", 1), ("epochs", 1), ("seed", 0)):
            # as an int: a message is JSON, which numpy's are not
            object.__setattr__(self, name, whole(name, getattr(self, name), least))
        rate = self.learning_rate
        if rate is not None and not 0 <= rate < math.inf:
            raise ModelError(f"learning_rate is {rate!r}, expected a finite number of at least 0")


@dataclass(frozen=True, eq=False)
class RoundPlan:
    """One client's reading of the message: the terms, the weights (float32[d]), its digest."""

    terms: Terms
    weights: Vector
    digest: bytes


def write(
    terms: Terms, weights: Vector, announced: tuple[float, ...] = (), *, kind: str = KIND
) -> bytes:
    """The message of one round. `weights` is the flat float32 vector of the model."""
    message = RoundMessage(
        kind=kind,
        round=terms.round,
        seed=terms.seed,
        weighted=terms.weighted,
        task={**task_of(terms), "length": weights.size},
        body=weights.astype("<f4").tobytes(),
        announced=announced,
    )
    return message.write()


def read(message: bytes) -> RoundPlan:
    """Decode a message of a training. Raises FLError if it is not one."""
    return plan_of(round_message.read(message, KIND))


def plan_of(received: Received) -> RoundPlan:
    """The plan in a message. Raises FLError for one without."""
    task = dict(received.task)
    weights = weights_in(received, task.pop("length", None))
    return RoundPlan(terms_in(received, task), weights, received.digest)


def task_of(terms: Terms) -> dict[str, Any]:
    """What of the terms stands in a message's task."""
    return {name: value for name, value in asdict(terms).items() if name not in _OF_EVERY_ROUND}


def terms_in(received: Received, task: object) -> Terms:
    """The terms in a message's task, or in a part of it. Raises FLError for anything else."""
    try:
        return Terms(received.round, received.seed, weighted=received.weighted, **task)  # type: ignore[arg-type]
    except TypeError as error:
        raise FLError(f"not the terms of a round: {error}") from error


def weights_in(received: Received, length: object) -> Vector:
    """The weights in a message's body. Raises FLError for another number of bytes."""
    body = received.body
    if not isinstance(length, int) or len(body) != 4 * length:
        raise FLError(
            f"a round plan of {length} weights with {len(body)} bytes, expected 4 for each"
        )
    return np.frombuffer(body, "<f4").astype(np.float32, copy=False)
