"""What an observer of a secure sum sees: the words of an update under its masks.

`ObservedSum` lays beside them what no server has: the update itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import secagg
from fl.aggregators.contribution import Contribution, State, Sums
from fl.aggregators.interface import Announced, ClientSide, ServerSide, Session, SumShape
from fl.aggregators.secure import SecureSum
from fl.aggregators.totals import Aggregated
from secagg.messages import MaskedInput
from secagg.packing import unpack

_SENDS = 2  # the protocol round in which a client sends its masked input


def masked_update(frame: bytes, d: int, bits: int) -> NDArray[Any] | None:
    """The masked update of d words in a frame seen by an observer; None for any other frame."""
    return _masked(frame, secagg.VectorSpec("update", d, bits))


@dataclass(frozen=True, eq=False)
class Observed:
    """What one client has, what it sends, and what the server gets, in one session.

    client: its position. bits: of a masked word.
    true_update: float32[d], as it goes into the session, clipped by norm where that is asked.
    masked: the words that the client sends for it: d of them, or more where the sum is exact.
    mean: float64[d], what the server reads from the sum of all.
    """

    client: int
    bits: int
    true_update: NDArray[np.float32] = field(repr=False)
    masked: NDArray[Any] = field(repr=False)
    mean: Sums = field(repr=False)


class ObservedSum:
    """A secure sum that tells, of its first session, what `Observed` says.

    on_seen: called with it, once. That an update is known beside what is sent of it is the
        privilege of a simulation. The client is the first one with examples that sends its input.
    """

    def __init__(self, secure: SecureSum, on_seen: Callable[[Observed], None]) -> None:
        self.secure = secure
        self._on_seen: Callable[[Observed], None] | None = on_seen

    def announce(self, state: State) -> Announced:
        """As the secure sum's."""
        return self.secure.announce(state)

    def client_side(self, shape: SumShape, announced: Announced = ()) -> ClientSide:
        """As the secure sum's."""
        return self.secure.client_side(shape, announced)

    def server_side(self, shape: SumShape, state: State = ()) -> ServerSide:
        """As the secure sum's."""
        return self.secure.server_side(shape, state)

    def aggregate(self, contributions: Sequence[Contribution], session: Session) -> Aggregated:
        """As `SecureSum.aggregate`."""
        client = _first_sender(contributions, session)
        if self._on_seen is None or client is None:
            return self.secure.aggregate(contributions, session)
        shape = session.shape_of(contributions)
        spec = self.secure.server_side(shape, session.state).decoding.encoding.vectors()[0]
        words: list[NDArray[Any]] = []

        def keep(sender: int | None, receiver: int | None, frame: bytes) -> None:
            if sender == client and (masked := _masked(frame, spec)) is not None:
                words.append(masked)
            if self.secure.observer is not None:
                self.secure.observer(sender, receiver, frame)

        total = replace(self.secure, observer=keep).aggregate(contributions, session)
        delta = contributions[client].delta
        mean = total.mean[: delta.size]
        self._on_seen(Observed(client, spec.bits, delta.astype(np.float32), words[0], mean))
        self._on_seen = None
        return total


def _first_sender(contributions: Sequence[Contribution], session: Session) -> int | None:
    senders = (
        u
        for u, contribution in enumerate(contributions)
        if contribution.weight > 0 and session.dropouts.get(u, _SENDS + 1) > _SENDS
    )
    return next(senders, None)


def _masked(frame: bytes, spec: secagg.VectorSpec) -> NDArray[Any] | None:
    """The masked words of the session's first vector, of this spec; None for any other frame."""
    message = secagg.wire.decode(frame)
    if not isinstance(message, MaskedInput):
        return None
    # The hidden tally word follows the vector.
    return unpack(spec, spec.length + 1, message.vectors[0])[: spec.length]
