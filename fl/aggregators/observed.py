"""What an observer of a secure sum sees: the words of an update under its masks."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

import secagg
from secagg.messages import MaskedInput
from secagg.packing import unpack


def masked_update(frame: bytes, d: int, bits: int) -> NDArray[Any] | None:
    """The masked update of d words in a frame seen by an observer; None for any other frame."""
    message = secagg.wire.decode(frame)
    if not isinstance(message, MaskedInput):
        return None
    # The hidden tally word follows the update.
    return unpack(secagg.VectorSpec("update", d, bits), d + 1, message.vectors[0])[:d]
