"""Flower's grid as a transport: messages out, replies as they come, and a deadline of our own.

`Grid.send_and_receive` looks for replies every three seconds; here it is every twentieth of one, or
less often where many are awaited. A message is not valid much longer than its deadline, so that no
node works for a round that is over.

A reply that has been announced but not pushed in full, because its node died or somebody changed it
on the way, holds up whoever pulls it for minutes. Over a network each reply is therefore pulled by
itself, in a thread: nobody else waits for it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fl.errors import FLError
from fl.flower.carried import KIND, pack, unpack

if TYPE_CHECKING:
    from flwr.app import Message
    from flwr.serverapp import Grid

_log = logging.getLogger("fl.flower")

_SLACK = 5.0
_EACH, _MOST = 0.05, 1.0  # seconds between two looks: for each reply that is awaited, and at most


class GridTransport:
    """Carries messages over a grid. poll: the least seconds between two looks for replies."""

    def __init__(self, grid: Grid, poll: float = 0.05) -> None:
        self._grid = grid
        self._poll = poll
        # The simulation's grid has whole replies at hand. By its name, as its module moves about.
        self._at_hand = type(grid).__name__ == "InMemoryGrid"

    def nodes(self) -> Sequence[int]:
        """Who is connected, or was until a minute ago."""
        return sorted(self._grid.get_node_ids())

    def exchange(
        self, requests: Mapping[int, bytes], seconds: float
    ) -> Iterator[tuple[int, bytes] | None]:
        """As in `Transport`. Replies are known by the message that they reply to: an error reply
        may come from the SuperLink."""
        from flwr.app import Message

        until = time.monotonic() + seconds
        ttl = seconds + _SLACK
        messages = [
            Message(pack(record), dst_node_id=node, message_type=KIND, ttl=ttl)
            for node, record in requests.items()
        ]
        ids = self._grid.push_messages(messages)
        waiting = {name: node for name, node in zip(ids, requests, strict=True) if name}
        look = self._grid.pull_messages if self._at_hand else _Apart(self._grid.pull_messages).look
        while waiting and time.monotonic() < until:
            for reply in list(look(list(waiting))):
                node = waiting.pop(reply.metadata.reply_to_message_id, None)
                if node is not None and (record := _record(node, reply)) is not None:
                    yield node, record
            if waiting:
                yield None
                time.sleep(self._pause(len(waiting)))

    def _pause(self, waiting: int) -> float:
        """Seconds between two looks. Looking costs a request for each reply, of which the nodes'
        processes have the less time where all are on one machine."""
        return self._poll if self._at_hand else max(self._poll, min(_EACH * waiting, _MOST))


def _record(node: int, reply: Message) -> bytes | None:
    """The bytes of a reply; None for an error, which is noted."""
    if reply.has_error():
        _log.warning("node %d: error %d", node, reply.error.code)
        return None
    try:
        return unpack(reply.content)
    except FLError as error:
        _log.warning("node %d: %s", node, error)
        return None


_Pull = Callable[[Iterable[str]], Iterable["Message"]]


class _Apart:
    """Pulls each reply in a thread of its own, which ends with the process if not before."""

    def __init__(self, pull: _Pull) -> None:
        self._pull = pull
        self._done: queue.Queue[tuple[str, list[Message] | Exception]] = queue.Queue()
        self._under_way: set[str] = set()

    def look(self, names: Sequence[str]) -> list[Message]:
        """What there is of these replies. Raises what pulling one raises."""
        for name in names:
            if name not in self._under_way:
                self._under_way.add(name)
                threading.Thread(target=self._one, args=(name,), daemon=True).start()
        replies: list[Message] = []
        block = True
        while True:
            try:
                name, pulled = self._done.get(block, timeout=0.5)
            except queue.Empty:
                return replies
            self._under_way.discard(name)
            if isinstance(pulled, Exception):
                raise pulled
            replies += pulled
            block = False

    def _one(self, name: str) -> None:
        try:
            self._done.put((name, list(self._pull([name]))))
        except Exception as error:  # noqa: BLE001  raised again where it is awaited
            self._done.put((name, error))
