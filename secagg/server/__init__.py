"""The server of a session: what it collects in each round, and the sum that it opens.

Modules: `server` is the machine, `transitions` its table, `rounds` and `opening` its five rounds,
`session` what they share, `neighbourhoods` who holds a share of whose secret, `recovery` and
`share_search` secrets from shares, `unmasking` the masks that they remove, `aggregate` the result,
`snapshot` what a host keeps of it.  May be imported from it: `Server` and `Aggregate`.  It uses
`ending`, `errors`, `graph`, `html_table`, `identity`, `keys`, `masks`, `messages`, `packing`,
`params`, `roster`, `server_sealing`, `sharing`, `snapshots` and `wire`, and knows nothing of the
client.
"""

from secagg.server.aggregate import Aggregate
from secagg.server.server import Server

__all__ = ["Aggregate", "Server"]
