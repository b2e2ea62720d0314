"""Secure aggregation: a server learns the sum of its clients' vectors, and nothing else."""

from secagg.errors import (
    DecodeError,
    LocalProtocolError,
    RemoteProtocolError,
    SecAggError,
    TooFewClients,
)

__all__ = [
    "DecodeError",
    "LocalProtocolError",
    "RemoteProtocolError",
    "SecAggError",
    "TooFewClients",
]
