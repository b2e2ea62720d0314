"""States as encrypted blobs: the form that the snapshots of client and server share.

Modules: `state_bytes` writes a state as plain values, `sealed` encrypts them for one generation.
Both may be imported, by the snapshots of `secagg.client` and `secagg.server`.  It uses `errors`
and `keys`.
"""
