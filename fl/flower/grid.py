"""Flower's grid as a transport: messages out, replies as they come, and a deadline of our own.

`Grid.send_and_receive` looks for replies every three seconds; here it is every twentieth of one. A
message is not valid much longer than its deadline, so that no node works for a round that is over.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fl.errors import FLError
from fl.flower.carried import KIND, pack, unpack

if TYPE_CHECKING:
    from flwr.serverapp import Grid

_log = logging.getLogger("fl.flower")

_SLACK = 5.0


class GridTransport:
    """Carries messages over a grid. poll: seconds between two looks for replies."""

    def __init__(self, grid: Grid, poll: float = 0.05) -> None:
        self._grid = grid
        self._poll = poll

    def nodes(self) -> Sequence[int]:
        """Who is connected, or was until a minute ago."""
        return sorted(self._grid.get_node_ids())

    def exchange(
        self, requests: Mapping[int, bytes], seconds: float
    ) -> Iterator[tuple[int, bytes]]:
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
        while waiting and time.monotonic() < until:
            for reply in list(self._grid.pull_messages(list(waiting))):
                node = waiting.pop(reply.metadata.reply_to_message_id)
                if reply.has_error():
                    _log.warning("node %d: error %d", node, reply.error.code)
                    continue
                try:
                    record = unpack(reply.content)
                except FLError as error:
                    _log.warning("node %d: %s", node, error)
                    continue
                yield node, record
            if waiting:
                time.sleep(self._poll)
