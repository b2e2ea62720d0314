"""What is between the parties of a simulation: a link that every frame crosses, and who is gone."""

from collections.abc import Callable, Mapping

from secagg.errors import RemoteProtocolError
from secagg.server.server import Server
from secagg.simulation.workers import Frames

ROUNDS = range(5)

Link = Callable[[int | None, int | None, bytes], bytes | None]
"""(sender, receiver, frame) → the frame that arrives, or None; the server is None."""

Progress = Callable[[int, int, int], None]
"""(round, clients done, clients of the round)."""


def perfect(sender: int | None, receiver: int | None, frame: bytes) -> bytes:
    """A link that loses and changes nothing."""
    return frame


def unwatched(round: int, done: int, of: int) -> None:
    """A progress that nobody looks at."""


class Network:
    """The link, and the round from which each of some clients is gone."""

    def __init__(self, link: Link | None, drop: Mapping[int, int] | None) -> None:
        self._link, self._drop = link or perfect, drop or {}

    def down(self, round: int, frames: Frames) -> Frames:
        """What arrives of what begins a round: all of it crosses before anybody replies.

        In round 0 there is nothing to cross: None tells a client to begin.
        """
        there = {u: f for u, f in frames.items() if round < self._drop.get(u, len(ROUNDS))}
        if round == 0:
            return there
        crossed = ((u, self._link(None, u, f)) for u, f in there.items() if f is not None)
        return {u: frame for u, frame in crossed if frame is not None}

    def up(self, u: int, reply: bytes, server: Server) -> None:
        """A client's reply to the server; it may be lost or refused."""
        try:
            if (frame := self._link(u, None, reply)) is not None:
                server.receive(u, frame)
        except RemoteProtocolError:
            return  # its author is silent from here on
