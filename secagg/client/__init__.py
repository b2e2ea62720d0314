"""The client of a session: one state type and one function per round of Figure 4.

Rooms: `client` is the machine and its transition table, `rounds` what each round checks and does,
`member` who the client is, `states` what it holds between rounds, `inputs` what it adds, `sealing`
how it deals its shares, `snapshot` what a host keeps of it.  May be imported from it: `Client` and
`SnapshotStore`; the states by whoever plays clients.  It uses the protocol's vocabulary
(`messages`, `roster`, `wire`, ...), `masks`, `sharing`, `identity` and `snapshots`, and knows
nothing of the server.
"""

from secagg.client.client import Client
from secagg.client.snapshot import SnapshotStore

__all__ = ["Client", "SnapshotStore"]
