"""Which weights a client's update covers, and where they stand in the flat vector.

    update = changes of the trainable weights ‖ new values of the statistics that are averaged

A statistic is sent as its value, not as its change: where it shrinks from a large value, the change
in float32 would not say what it became.
Frozen weights are sent to the clients, because training needs them and the round's context binds
them, but nothing of them is sent back: a frozen weight costs no upload. So it is with statistics
that are kept local. This module holds positions, no values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fl.errors import ModelError
from fl.model.vector import KerasModel, Vector, aggregated_variables

NonTrainable = Literal["average", "local"]
"""What becomes of float statistics, for example of batch normalization: averaged as the weights
are, or never sent by a client, so that the server's stay as they were."""


@dataclass(frozen=True)
class Layout:
    """sizes: of every array of `ModelWeights`, in its order. sent: whether an update covers it.
    frozen: what is not sent because its layer is frozen. trained: how many coordinates of an update
    are changes of trainable weights: the first ones."""

    sizes: tuple[int, ...]
    sent: tuple[bool, ...]
    frozen: tuple[bool, ...]
    trained: int

    @classmethod
    def of(cls, model: KerasModel, non_trainable: NonTrainable = "average") -> Layout:
        """The layout of a built Keras model as it is frozen now. Raises ModelError."""
        if non_trainable not in get_args(NonTrainable):
            raise ModelError(f"non_trainable is {non_trainable!r}, expected 'average' or 'local'")
        trainable, statistics = aggregated_variables(model)
        ids, average = _frozen(model), non_trainable == "average"
        averaged = [average and id(v) not in ids for v in statistics]
        left = [average and id(v) in ids for v in statistics]
        sizes = [int(np.prod(v.shape)) for v in trainable + statistics]
        trained = sum(sizes[: len(trainable)])
        first = len(trainable)
        sent, frozen = (*[True] * first, *averaged), (*[False] * first, *left)
        return cls(tuple(sizes), sent, frozen, trained)

    def changed(self, steps: Iterable[bool]) -> Layout:
        """The layout where a step changes the arrays for which `steps` is true: of those, what is
        frozen for the optimizer alone is a statistic."""
        thawed = [f and step for f, step in zip(self.frozen, steps, strict=True)]
        pairs = list(zip(self.sent, self.frozen, thawed, strict=True))
        sent = tuple(s or t for s, _, t in pairs)
        return replace(self, sent=sent, frozen=tuple(f and not t for _, f, t in pairs))

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where the sent parts begin and end in the flat vector; neighbours are joined."""
        spans: list[tuple[int, int]] = []
        start = 0
        for size, sent in zip(self.sizes, self.sent, strict=True):
            if sent and spans and spans[-1][1] == start:
                spans[-1] = (spans[-1][0], start + size)
            elif sent:
                spans.append((start, start + size))
            start += size
        return spans

    def expand(self, update: NDArray[Any], weights: Vector) -> NDArray[Any]:
        """The flat vector of an update: the weights' own values where nothing is sent. Its dtype is
        kept."""
        if all(self.sent):
            return update
        vector, taken = weights.astype(update.dtype), 0
        for start, stop in self.spans:
            vector[start:stop] = update[taken : taken + stop - start]
            taken += stop - start
        return vector


def _frozen(model: KerasModel) -> set[int]:
    """Ids of the variables that no optimizer changes, nor a layer of Keras.

    A layer with `trainable = False` keeps all its weights (a batch normalization its statistics
    too); one with LoRA keeps the kernel that it was built with.
    """
    frozen: set[int] = set()
    for layer in model._flatten_layers():
        if not layer.trainable:
            frozen.update(id(v) for v in layer.weights)
        # Keras's list of what was made trainable, whatever has been frozen of it since.
        frozen.update(id(v) for v in layer._trainable_variables if not v.trainable)
    return frozen
