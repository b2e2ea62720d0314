"""`flower-supernode` that waits less: it says every 10 s that it lives, not every 30, and looks for
work every 0.5 s, not every 3.

A node that was killed is then known to be gone after 20 s in place of 60. Nothing else is changed.
"""

import time

from flwr.supercore import heartbeat
from flwr.supernode import fleet_http_connection, start_client_internal
from flwr.supernode.cli import flower_supernode


class _Clock:
    """The module `time`, with short naps."""

    def __getattr__(self, name):
        return getattr(time, name)

    @staticmethod
    def sleep(seconds):
        time.sleep(min(seconds, 0.5))


if __name__ == "__main__":
    heartbeat.HEARTBEAT_DEFAULT_INTERVAL = 10
    fleet_http_connection.HEARTBEAT_DEFAULT_INTERVAL = 10
    start_client_internal.time = _Clock()
    flower_supernode()
