"""Secure aggregation: a server learns the sum of its clients' vectors, and nothing else.

    round            client u                          server
    0 AdvertiseKeys  c_pk, s_pk, commitment to b_u  ─▶  U1
                                                    ◀─  everybody's, signed
    1 ShareKeys      shares of s_sk and b_u, sealed ─▶  U2
                                                    ◀─  the shares sealed for u
    2 MaskedInput    x_u + PRG(b_u) + Σ ±PRG(s_uv)  ─▶  U3, added on arrival
                                                    ◀─  U3
    3 Consistency    signature of U3                ─▶  U4
                                                    ◀─  their signatures of U3
    4 Unmasking      a share of b_v or of s_sk_v    ─▶  U5: the sum over U3

The protocol is that of Bonawitz et al. 2017, actively secure, with the sparse graphs of Bell et al.
2020.  `run` plays a whole session in memory; `Client` and `Server` are for your own network
(docs/embedding.md); `masks` works alone.

Rooms: `client` and `server` are the two sides of a session, `simulation` many clients on one
machine, `cli` the command.  Below them both sides have `messages`, `wire` (their bytes),
`roster`, `packing`, `ending`, `server_sealing` and `snapshots`; `quantize` and `exact` make ring
words of floats.  Below those `params` is what is agreed on and `graph` who shares masks with
whom, then `identity`, `masks`, `parameters` and `sharing`, and at the bottom `keys`, `curve`,
`errors` and `html_table`, what notebooks show.  Imports point downwards (pyproject.toml has the
rules).  May be imported: what is in `__all__`, and what the rooms say of themselves.

Examples in docstrings have `secagg`, `np`, and one session: `params` of three clients, their `keys`
(Ed25519) and `directory` for the ids 4, 7 and 9, and the server's `private_key`.
"""

from secagg import identity, masks, simulation, wire
from secagg.client.client import Client
from secagg.client.snapshot import SnapshotStore
from secagg.errors import (
    DecodeError,
    LocalProtocolError,
    RemoteProtocolError,
    SecAggError,
    TooFewClients,
)
from secagg.exact import ExactFloats
from secagg.graph import Complete, Harary
from secagg.identity.authority import Authority
from secagg.identity.authority import load as load_directory
from secagg.identity.directory import Directory, Pinned
from secagg.masks.suites import Suite
from secagg.params import Params, VectorSpec
from secagg.quantize import Quantizer
from secagg.run import run
from secagg.server.aggregate import Aggregate
from secagg.server.server import Server

__version__ = "0.1.0"

__all__ = [
    "Aggregate",
    "Authority",
    "Client",
    "Complete",
    "DecodeError",
    "Directory",
    "ExactFloats",
    "Harary",
    "LocalProtocolError",
    "Params",
    "Pinned",
    "Quantizer",
    "RemoteProtocolError",
    "SecAggError",
    "Server",
    "SnapshotStore",
    "Suite",
    "TooFewClients",
    "VectorSpec",
    "identity",
    "load_directory",
    "masks",
    "run",
    "simulation",
    "wire",
]
