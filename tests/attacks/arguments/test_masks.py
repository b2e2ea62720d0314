"""Each refusal of what is to be masked is removed in turn, and then a mistake goes on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from secagg import VectorSpec, masks
from secagg.client import inputs
from tests.helpers.attacks import mistaken
from tests.helpers.breaks import Attacks
from tests.helpers.removed import ARGUMENTS

attacks = Attacks(*ARGUMENTS["masks"])
breaks = attacks.breaks
SEED = bytes(masks.SEED_BYTES)
SPEC = VectorSpec("x", 3, 16)


def mask(vector: Any, seed: bytes = SEED, direction: int = 1) -> Callable[[], Any]:
    return lambda: masks.add_masks([vector], [(seed, direction)])


def too_many_vectors() -> None:
    """2^24 of them take gigabytes: here the limit is two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masks.pairwise, "_MAX_VECTORS", 2)
        masks.add_masks([np.zeros(1, np.uint8)] * 2, [])


class Huge(np.ndarray):
    """A vector that says it is longer than the block counter reaches."""

    nbytes = 2**44 + 1


def frozen() -> Any:
    vector = np.zeros(3, np.uint16)
    vector.flags.writeable = False
    return vector


breaks("masks.pairwise.sign", "u == v")(
    mistaken("expected another client", lambda: masks.sign(3, 3))
)
breaks("masks.pairwise.add_masks", "len(words) >= _MAX_VECTORS")(
    mistaken("expected less than", too_many_vectors)
)
breaks("masks.pairwise.add_masks", "direction not in (1, -1)")(
    mistaken("the sign 2", mask(np.zeros(3, np.uint16), direction=2))
)
breaks("masks.pairwise.expand", "index < 0")(
    mistaken("index=-1, expected 0 or more", lambda: masks.expand(SEED, 3, "<u2", index=-1))
)
breaks("masks.pairwise._checked_seed", "len(seed) != SEED_BYTES")(
    mistaken("a seed has 23 bytes", mask(np.zeros(3, np.uint16), SEED[1:]))
)
breaks("masks.pairwise._checked", "not fits")(
    mistaken("1-d array of unsigned", mask(np.zeros(3, np.int16)))
)
breaks("masks.pairwise._checked", "not vector.flags.c_contiguous")(
    mistaken("contiguous", mask(np.zeros(6, np.uint16)[::2]))
)
breaks("masks.pairwise._checked", "not vector.flags.writeable")(
    mistaken("writeable", mask(frozen()))
)
breaks("masks.pairwise._checked", "vector.nbytes > _MAX_BYTES")(
    mistaken("bytes, expected at most", mask(np.zeros(3, np.uint16).view(Huge)))
)
breaks("masks.pairwise._checked", "vector.dtype != vector.dtype.newbyteorder('<')")(
    mistaken("little-endian", mask(np.zeros(3, ">u2")))
)
breaks("client.inputs.checked", "not isinstance(vectors, Mapping)")(
    mistaken("expected an array", lambda: inputs.with_tallies([SPEC], [np.zeros(3, np.uint16)]))
)
breaks("client.inputs.checked", "set(vectors) != set(names)")(
    mistaken(
        "expected \\['x'\\]",
        lambda: inputs.with_tallies([SPEC], dict.fromkeys("xy", np.zeros(3, np.uint16))),
    )
)
breaks("client.inputs._check_vector", "seen != f'{spec.dtype}[{spec.length}]'")(
    mistaken(
        "expected uint16\\[3\\]",
        lambda: inputs.with_tallies([SPEC], np.array([1, 2, 70000], np.uint32)),
    )
)

test_every_refusal_has_its_mistake, test_a_mistake_needs_its_refusal_gone = attacks.tests()
