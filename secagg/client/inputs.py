"""A client's input as the protocol adds it: every vector checked and copied, a tally word behind.

words = vector ‖ 1,   so the last word of the sum counts the clients in it
"""

from collections.abc import Mapping, Sequence

import numpy as np

from secagg.errors import LocalProtocolError
from secagg.masks.prg import RingVector
from secagg.params import VectorSpec


def with_tallies(
    specs: Sequence[VectorSpec], vectors: RingVector | Mapping[str, RingVector]
) -> list[RingVector]:
    """A copy of each input vector, the hidden tally word 1 behind it."""
    named = checked(specs, vectors)
    return [_with_tally(spec, named[spec.name]) for spec in specs]


def checked(
    specs: Sequence[VectorSpec], vectors: RingVector | Mapping[str, RingVector]
) -> Mapping[str, RingVector]:
    """The input by name; LocalProtocolError unless it is one vector for each spec, as it says."""
    if isinstance(vectors, np.ndarray):
        vectors = {specs[0].name: vectors}
    names = [spec.name for spec in specs]
    if not isinstance(vectors, Mapping):
        raise LocalProtocolError(
            f"the input is a {type(vectors).__name__}, expected an array, or arrays by name"
        )
    if set(vectors) != set(names):
        raise LocalProtocolError(f"input vectors {sorted(vectors)}, expected {sorted(names)}")
    for spec in specs:
        _check_vector(spec, vectors[spec.name])
    return vectors


def _check_vector(spec: VectorSpec, vector: RingVector) -> None:
    if not isinstance(vector, np.ndarray):
        seen = type(vector).__name__
    else:
        seen = f"{vector.dtype}{list(vector.shape)}"
    if seen != f"{spec.dtype}[{spec.length}]":
        raise LocalProtocolError(
            f"vector {spec.name!r} is {seen}, expected {spec.dtype}[{spec.length}]"
        )


def _with_tally(spec: VectorSpec, vector: RingVector) -> RingVector:
    words = np.empty(spec.length + 1, spec.dtype)
    words[:-1], words[-1] = vector, 1
    return words
