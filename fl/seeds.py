"""Where all randomness comes from that is not of key material: one stream for each purpose.

    stream = SeedSequence(SHA-256(label ‖ JSON of [purpose, numbers...]))

numpy's own sequences of numbers are not told apart where they end in zeros: those of (3,), (3, 0)
and (3, 0, 0, 0) are one, and so are those of a number above 2^32 and of its two halves. Of two
streams of this module that differ in anything, none is the other.
"""

from __future__ import annotations

import hashlib
import json
from typing import Literal

import numpy as np

_LABEL = b"fl/seeds/v1"


def sequence(purpose: str, *numbers: int) -> np.random.SeedSequence:
    """The source of one kind of randomness, for example of one client in one round."""
    name = json.dumps([purpose, *(int(number) for number in numbers)]).encode()
    return np.random.SeedSequence(np.frombuffer(hashlib.sha256(_LABEL + name).digest(), "<u4"))


def generator(purpose: str, *numbers: int) -> np.random.Generator:
    """A generator of that sequence."""
    return np.random.default_rng(sequence(purpose, *numbers))


Stream = Literal["shuffle", "layers", "rounding", "evaluation"]


def of_client(seed: int, round_number: int, client: int, stream: Stream) -> np.random.SeedSequence:
    """The source of one kind of randomness of one client in one round; never of key material."""
    return sequence(f"client/{stream}", seed, round_number, client)
