"""States as lists of plain values and back: the fields of a state's type, in their order.

    Checked(roster, U3, held, own_share)   ⇄   [[10, 20, ...], {10: [s_share, b_share], ...}, ...]

`given` names the types whose values are not written because they are known at the other end: what
the host configures again, and what follows from it.  Nothing is protected here: secrets are written
as they are, and `snapshot` encrypts them.  Nor is a layout recognised: whoever reads must know that
it was written by the same types.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, TypeVar, get_type_hints

import msgspec
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from secagg.errors import LocalProtocolError

T = TypeVar("T")


def encode(value: object) -> bytes:
    """MessagePack of plain values, numpy arrays and Ed25519 public keys."""
    return msgspec.msgpack.encode(value, enc_hook=_written)


def fields_of(state: object, given: Collection[type]) -> list[object]:
    """The fields of a dataclass, dataclasses among them as lists, without those `given`."""
    hints = get_type_hints(type(state))
    values = (getattr(state, name) for name, kind in hints.items() if kind not in given)
    return [fields_of(v, given) if is_dataclass(v) else v for v in values]


def from_fields(kind: type[T], values: Sequence[Any], given: Mapping[type, object]) -> T:
    """The dataclass that `fields_of` wrote, with what is `given` put back."""
    hints, written = get_type_hints(kind), iter(values)
    fields = {
        name: given[hint] if hint in given else _read(hint, next(written), given)
        for name, hint in hints.items()
    }
    return kind(**fields)


def _read(kind: Any, value: Any, given: Mapping[type, object]) -> object:
    if isinstance(kind, type) and is_dataclass(kind):
        return from_fields(kind, value, given)
    return msgspec.convert(value, kind, dec_hook=_rebuilt)


def _written(value: object) -> object:
    if isinstance(value, np.ndarray):
        return [value.dtype.str, value.shape, np.ascontiguousarray(value).data]
    if isinstance(value, Ed25519PublicKey):
        return value.public_bytes_raw()
    raise LocalProtocolError(
        f"a {type(value).__name__} in a snapshot, expected an array or a public key"
    )


def _rebuilt(kind: type, value: Any) -> object:
    if kind is Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(value)
    dtype, shape, raw = value
    return np.frombuffer(raw, dtype).reshape(shape).copy()
