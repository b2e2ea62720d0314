"""What a session costs each side, estimated before it runs.

    bytes     from the sizes of the messages, with ids of 8 bytes and no framing
    client    (|N|+1 + q)·verify + 2(|N|+1)·agree + 3|N|·derive + (|N|+1)·mask
    server    5n·verify + S·(agree + mask) + D·|N|·(S/n)·(agree + derive + mask)

S survivors, D dropped, |N| the number of neighbours, q the signatures of U3 that a client checks,
`mask` the time to expand one mask over the vector and add it.  Unit costs are measured here and
now, for a fifth of a second, on one core.  Not in it: the network, encoding, splitting and joining
shares, and what is done for each client of a roster (decoding, hashing).  Only the command line
uses this; the protocol has no clock.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from secagg.graph import graph_of
from secagg.keys import Transcript
from secagg.masks import SEED_BYTES, add_masks
from secagg.masks.suites import DEFAULT, Suite, prg_of
from secagg.messages import CIPHERTEXT_BYTES, SEALED_BYTES
from secagg.parameters import Choice
from secagg.params import VectorSpec
from secagg.sharing.shamir import SHARE_BYTES

ID_BYTES = 8
SIGNATURE_BYTES = 64
ADVERTISEMENT_BYTES = ID_BYTES + 32 + 32 + 32 + SIGNATURE_BYTES
"""Id, c_pk, s_pk, the commitment to b_u, the signature."""

CALIBRATION_SECONDS = 0.05
"""For each of four primitives."""


@dataclass(frozen=True)
class RoundBytes:
    """Bytes of one round for one client: what it sends, and what it is sent afterwards."""

    name: str
    up: int
    down: int


@dataclass(frozen=True)
class UnitCosts:
    """Seconds on this machine: an X25519 agreement, an Ed25519 check, an HKDF, a byte of mask."""

    agree: float
    verify: float
    derive: float
    mask_byte: float


def client_bytes(choice: Choice, vector: VectorSpec) -> tuple[RoundBytes, ...]:
    """The messages of one client in a full roster, round by round."""
    n, neighbours = choice.n, choice.neighbours
    ciphertexts = neighbours * CIPHERTEXT_BYTES
    signed = ID_BYTES + SIGNATURE_BYTES
    return (
        RoundBytes("0 AdvertiseKeys", ADVERTISEMENT_BYTES, n * ADVERTISEMENT_BYTES),
        RoundBytes("1 ShareKeys", signed + ciphertexts, ciphertexts + neighbours * ID_BYTES),
        RoundBytes("2 MaskedInputCollection", signed + vector.packed_bytes, n * ID_BYTES),
        RoundBytes("3 ConsistencyCheck", signed, _signatures_sent(choice) * signed),
        RoundBytes("4 Unmasking", signed + (neighbours + 1) * SHARE_BYTES + SEALED_BYTES, 0),
    )


def client_seconds(choice: Choice, vector: VectorSpec, unit: UnitCosts) -> float:
    """CPU seconds of one client over all rounds."""
    checks = choice.neighbours + 1 + _signatures_checked(choice)
    per_neighbour = 2 * unit.agree + 3 * unit.derive + _mask(vector, unit)
    with_server = 2 * unit.agree  # an ephemeral key, and what is sealed with it
    pairwise = choice.neighbours * per_neighbour
    return checks * unit.verify + pairwise + with_server + _mask(vector, unit)


def _signatures_checked(choice: Choice) -> int:
    """Of the quorum, by a client, if everybody signs."""
    return graph_of(choice).quorum_checks(choice.n, choice.min_survivors, choice.n)


def _signatures_sent(choice: Choice) -> int:
    """To a client: all, where it checks a sample."""
    enough = _signatures_checked(choice) == choice.min_survivors
    return choice.min_survivors if enough else choice.n


def server_seconds(choice: Choice, vector: VectorSpec, unit: UnitCosts, dropped: int) -> float:
    """CPU seconds of the server when `dropped` clients leave after they shared their keys."""
    survivors = choice.n - dropped
    orphaned = dropped * choice.neighbours * survivors / choice.n
    pairwise = unit.agree + unit.derive + _mask(vector, unit)
    return (
        5 * choice.n * unit.verify
        + survivors * (unit.agree + unit.derive + _mask(vector, unit))
        + orphaned * pairwise
    )


def _mask(vector: VectorSpec, unit: UnitCosts) -> float:
    return (vector.length + 1) * vector.dtype.itemsize * unit.mask_byte


def calibrate(suite: Suite = DEFAULT) -> UnitCosts:
    """Measure the primitives, the way the protocol calls them."""
    mine, peer = X25519PrivateKey.generate(), X25519PrivateKey.generate().public_key()
    signer = Ed25519PrivateKey.generate()
    verifier, signature = signer.public_key(), signer.sign(bytes(32))
    transcript = Transcript(bytes(32), bytes(32))
    words = np.zeros(2**18, np.dtype("<u4"))
    seed, prg = bytes(SEED_BYTES), prg_of(suite)
    return UnitCosts(
        agree=_seconds(lambda: mine.exchange(peer)),
        verify=_seconds(lambda: verifier.verify(signature, bytes(32))),
        derive=_seconds(lambda: transcript.pairwise_seed(bytes(32), 0, 1)),
        mask_byte=_seconds(lambda: add_masks([words], [(seed, 1)], prg)) / words.nbytes,
    )


def _seconds(work: Callable[[], object]) -> float:
    """The fastest of the calls that fit into CALIBRATION_SECONDS: the one least disturbed."""
    fastest, end = math.inf, perf_counter() + CALIBRATION_SECONDS
    while (start := perf_counter()) < end:
        work()
        fastest = min(fastest, perf_counter() - start)
    return fastest
