"""A grid that notes what travels, and when rounds end: the same measure for all apps.

Bytes are those of all objects of a message, as Flower stores and moves them.
"""

import json
import time
from pathlib import Path

from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects


class Counted:
    """Wraps the two methods of a grid through which all messages go. path: of a JSON file."""

    def __init__(self, grid, path):
        self._path = Path(path)
        self._began = time.perf_counter()
        self._now = {"down": 0, "up": 0, "messages": 0, "errors": 0}
        self._rounds = []
        self._push, self._pull = grid.push_messages, grid.pull_messages
        grid.push_messages, grid.pull_messages = self._pushed, self._pulled

    def round_over(self):
        """Note a round, and begin the next."""
        seconds = time.perf_counter() - self._began
        self._rounds.append({**self._now, "seconds": seconds})
        self._path.write_text(json.dumps(self._rounds))
        self._now = dict.fromkeys(self._now, 0)
        self._began = time.perf_counter()

    def _pushed(self, messages):
        messages = list(messages)
        self._now["down"] += sum(map(_size, messages))
        self._now["messages"] += len(messages)
        return self._push(messages)

    def _pulled(self, ids):
        replies = list(self._pull(ids))
        self._now["up"] += sum(map(_size, replies))
        self._now["errors"] += sum(reply.has_error() for reply in replies)
        return replies


def _size(message):
    return sum(len(each.deflate()) for each in get_all_nested_objects(message).values())
