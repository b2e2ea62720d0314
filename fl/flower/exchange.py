"""Messages of one session to nodes and back: what travelled, who is refused, who looks on.

Silence, an error and a refusal are one thing: nothing comes of that node.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol

from fl.errors import FLError
from fl.flower.records import Answer, Refusal, answer_in
from fl.progress.watch import Watch, current

_log = logging.getLogger("fl.flower")


class Transport(Protocol):
    """What carries messages to nodes, by the numbers that it has for them."""

    def nodes(self) -> Sequence[int]:
        """Who can be asked now."""

    def exchange(
        self, requests: Mapping[int, bytes], seconds: float
    ) -> Iterator[tuple[int, bytes] | None]:
        """Send to each node, and give (node, answer) as they come, until all have answered or the
        time is over; None now and then, while nothing comes. A node whose answer is an error gives
        nothing."""


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """Seconds that the server waits: for first answers, with the training, and for all others."""

    training: float = 600.0
    round: float = 120.0


class Played(NamedTuple):
    """What a session came to. kind: "secure" or "plain". sums: of the survivors' vectors.

    gone: client -> the protocol's round that it was the first to miss.
    """

    kind: str
    sums: Mapping[str, Any]
    clients: Sequence[int]
    survivors: Sequence[int]
    gone: Mapping[int, int]
    threshold: int


@dataclass
class Exchange:
    """The messages of one session. up, down: bytes of all of them so far."""

    session: bytes
    transport: Transport
    deadlines: Deadlines
    up: int = 0
    down: int = 0
    watch: Watch = field(default_factory=current)
    _shown: Callable[[], None] = field(default=lambda: None, init=False)

    def trained(self, begun: int, total: int) -> None:
        """Tell whoever watches; again while nothing comes, as time passes."""
        self._shown = partial(self.watch.trained, begun, total)
        self._shown()

    def summed(self, protocol_round: int, done: int, total: int) -> None:
        """As `trained`, of a round of the protocol."""
        self._shown = partial(self.watch.summed, protocol_round, done, total)
        self._shown()

    def first_answers(self, begins: Mapping[int, bytes]) -> Iterator[tuple[int, Answer]]:
        """(node, answer) of those that begin the session."""
        return self._answers(begins, self.deadlines.training)

    def answers(self, steps: Mapping[int, bytes]) -> Iterator[tuple[int, Answer]]:
        """(node, answer) of those that go on."""
        return self._answers(steps, self.deadlines.round)

    def refuse(self, node: int, why: object) -> None:
        """Note why nothing comes of a node's answer."""
        _log.warning("node %d: %.200s", node, why)

    def _answers(
        self, requests: Mapping[int, bytes], seconds: float
    ) -> Iterator[tuple[int, Answer]]:
        self.down += sum(map(len, requests.values()))
        for answered in self.transport.exchange(requests, seconds):
            if answered is None:
                self._shown()
                continue
            node, record = answered
            self.up += len(record)
            try:
                answer = answer_in(record)
            except FLError as error:
                self.refuse(node, error)
                continue
            if isinstance(answer, Refusal):
                self.refuse(node, f"does not answer: {answer.reason!r}")
            elif answer.session != self.session:
                self.refuse(node, "another session, expected an answer in this one")
            else:
                yield node, answer
