"""The client of a session: one state type and one function per round of Figure 4.

Modules: `client` is the machine and its transition table, `rounds` what each round checks and does,
`member` who the client is, `states` what it holds between rounds, `inputs` what it adds, `sealing`
how shares are sealed for a holder and checked when one arrives, `snapshot` what a host keeps of it.
May be imported from it: `Client` and
`SnapshotStore`, and `states` by whoever plays clients.  It uses `ending`, `errors`, `identity`,
`keys`, `masks`, `messages`, `packing`, `params`, `roster`, `server_sealing`, `sharing`, `snapshots`
and `wire`, and knows nothing of the server.
"""

from secagg.client.client import Client
from secagg.client.snapshot import SnapshotStore

__all__ = ["Client", "SnapshotStore"]
