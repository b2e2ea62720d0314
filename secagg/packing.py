"""Ring words to bytes and back: only the low `bits` bits of each word travel.

    packed = the bit string in which word i fills bits [i·bits, (i+1)·bits), lowest bit first

Eight words fill exactly `bits` bytes, so the general case is worked out column by column over
groups of eight; 8, 16, 32 and 64 bits are the words themselves.  Padding bits at the end are zero,
and `unpack` refuses any others: one vector, one encoding.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from secagg.errors import RemoteProtocolError
from secagg.masks.prg import RingVector
from secagg.params import VectorSpec

Bytes = NDArray[np.uint8]

_GROUPS = 2**16  # groups of eight words a step: numpy calls are few, temporaries stay in L3


def pack(spec: VectorSpec, words: RingVector) -> memoryview:
    """The low `spec.bits` bits of each word (dtype `spec.dtype`): ⌈len(words)·bits/8⌉ bytes."""
    octets = words.view(np.uint8).reshape(len(words), -1)
    if spec.bits == 8 * spec.dtype.itemsize:
        return octets.reshape(-1).data
    if spec.bits % 8 == 0:
        narrow = np.empty((len(words), spec.bits // 8), np.uint8)
        _copy_columns(octets, narrow)
        return narrow.reshape(-1).data
    groups = -(-len(words) // 8)
    padded = np.zeros((groups, 8), spec.dtype)
    np.bitwise_and(words, _mask(spec), out=padded.reshape(-1)[: len(words)])
    packed = np.zeros((groups, spec.bits), np.uint8)
    for step in _steps(groups):
        _pack_groups(np.ascontiguousarray(padded[step].T), packed[step], spec.bits)
    return packed.reshape(-1)[: (spec.bits * len(words) + 7) // 8].data


def unpack(spec: VectorSpec, count: int, raw: memoryview) -> RingVector:
    """The `count` words of a packed vector, dtype `spec.dtype`; a view of `raw` where that can be.

    RemoteProtocolError for a wrong length or a padding bit that is not zero.
    """
    size = (spec.bits * count + 7) // 8
    if raw.nbytes != size:
        raise RemoteProtocolError(
            f"vector {spec.name!r} has {raw.nbytes} bytes, expected {size} for {count} words"
        )
    octets = np.frombuffer(raw, np.uint8)
    if spec.bits == 8 * spec.dtype.itemsize:
        return octets.view(spec.dtype)
    if spec.bits % 8 == 0:
        wide = np.zeros((count, spec.dtype.itemsize), np.uint8)
        _copy_columns(octets.reshape(count, -1), wide)
        return wide.view(spec.dtype).reshape(-1)
    return _unpack_general(spec, count, octets)


def _copy_columns(source: Bytes, target: Bytes) -> None:
    """As many columns as both have, one by one: numpy is slow along an axis of three."""
    for column in range(min(source.shape[1], target.shape[1])):
        target[:, column] = source[:, column]


def _unpack_general(spec: VectorSpec, count: int, octets: Bytes) -> RingVector:
    unused = 8 * len(octets) - spec.bits * count
    if octets[-1] >> (8 - unused):
        raise RemoteProtocolError(f"vector {spec.name!r}: padding bits are set, expected zeros")
    groups = -(-count // 8)
    packed = np.zeros(groups * spec.bits, np.uint8)
    packed[: len(octets)] = octets
    words = np.empty((groups, 8), spec.dtype)
    for step in _steps(groups):
        columns = np.ascontiguousarray(packed.reshape(groups, spec.bits)[step].T)
        _unpack_groups(columns, words[step], spec)
    return words.reshape(-1)[:count]


def reduce_words(spec: VectorSpec, words: RingVector) -> None:
    """Reduce words mod 2^bits, in place."""
    np.bitwise_and(words, _mask(spec), out=words)


def _mask(spec: VectorSpec) -> np.unsignedinteger:
    return spec.dtype.type(2**spec.bits - 1)


def _steps(groups: int) -> Iterator[slice]:
    return (slice(start, start + _GROUPS) for start in range(0, groups, _GROUPS))


def _pieces(bits: int) -> Iterator[tuple[int, int, int]]:
    """(word of the group, byte of the group, left shift) wherever a word's bits meet a byte."""
    for word in range(8):
        first, last = word * bits // 8, ((word + 1) * bits - 1) // 8
        for byte in range(first, last + 1):
            yield word, byte, word * bits - 8 * byte


def _pack_groups(words: RingVector, packed: Bytes, bits: int) -> None:
    """words [8, groups] (already < 2^bits) into packed [groups, bits], which starts zero."""
    columns = np.zeros(packed.shape[::-1], np.uint8)
    for word, byte, shift in _pieces(bits):
        columns[byte] |= _shifted(words[word], shift).astype(np.uint8)
    packed[:] = columns.T


def _unpack_groups(columns: Bytes, words: RingVector, spec: VectorSpec) -> None:
    """columns [bits, groups] into words [groups, 8]."""
    rows = np.zeros(words.shape[::-1], spec.dtype)
    for word, byte, shift in _pieces(spec.bits):
        rows[word] |= _shifted(columns[byte].astype(spec.dtype), -shift)
    np.bitwise_and(rows.T, _mask(spec), out=words)


def _shifted(words: RingVector, left: int) -> RingVector:
    dtype = words.dtype.type
    return words << dtype(left) if left >= 0 else words >> dtype(-left)
