"""Bytes in Flower's records: it reads none of them.

A small message is a value of a ConfigRecord, which Flower moves as one object; a large one is an
array of an ArrayRecord, which it moves in pieces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fl.errors import FLError
from fl.flower.requirement import require_flower

if TYPE_CHECKING:
    from flwr.app import RecordDict

KIND = "query.fl"
"""The type of all our messages."""

_NAME = "fl"
_LARGE = 2**20


def pack(record: bytes) -> RecordDict:
    """The records of a message."""
    require_flower()
    from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

    if len(record) < _LARGE:
        return RecordDict({_NAME: ConfigRecord({_NAME: record})})
    return RecordDict({_NAME: ArrayRecord({_NAME: Array(np.frombuffer(record, np.uint8))})})


def unpack(content: RecordDict) -> bytes:
    """The bytes in the records of a message. Raises FLError where there are none."""
    if _NAME in content.config_records:
        record = content.config_records[_NAME].get(_NAME)
        if isinstance(record, bytes):
            return record
    if _NAME in content.array_records and _NAME in content.array_records[_NAME]:
        array = content.array_records[_NAME][_NAME]
        if array.dtype == "uint8":
            return bytes(array.numpy().tobytes())
    raise FLError(f"a message with records {sorted(content)}, expected bytes in {_NAME!r}")
