"""States as encrypted blobs: the form that the snapshots of client and server share.

Rooms: `state_bytes` writes a state as plain values, `sealed` encrypts them for one generation.  It
uses `keys` and `errors`.
"""
