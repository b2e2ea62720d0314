"""What a client submits as ring words: the client's half of the secure sum.

    update    w·Δ as an `UpdateCode` has it      exact     w·s (`ExactFloats`), and w·Δ without one
    check     whether the update's sum wraps     metrics   m (`ExactFloats`)
    counts    w, clipped, why a client counts for nothing

What the sums of those words say is read by `decoding`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import secagg
from fl.aggregators.codings.interface import Coded, UpdateCode
from fl.aggregators.contribution import Contribution, Metric, Numbers, Submission, whole
from fl.aggregators.interface import SumShape
from secagg import ExactFloats

_TERMS_LABEL = b"secagg/v1/fl-session-terms"
BEFORE_FAILED = 6
"""Numbers of "counts" before those of the metrics."""

_NOTHING = Coded(np.zeros(0, np.uint64))


def bound_to(terms: object, context: bytes) -> bytes:
    """A client's context with all that says how to encode, which JSON must know."""
    text = json.dumps(terms, sort_keys=True)
    digest = hashlib.sha256(text.encode()).digest()
    return hashlib.sha256(_TERMS_LABEL + digest + context).digest()


@dataclass(frozen=True)
class Encoding:
    """How inputs of one session become ring vectors: the same for every client.

    sizes: of an update and of the statistics. metrics: what the metrics consist of. update: how an
    update becomes words; None sends it exactly, whatever it is.
    """

    n: int
    max_weight: int
    sizes: tuple[int, int]
    metrics: tuple[Metric, ...]
    update: UpdateCode | None

    @classmethod
    def of(cls, shape: SumShape, max_weight: int, update: UpdateCode | None) -> Encoding:
        """That of a sum of this shape."""
        return cls(shape.n, max_weight, shape.sizes, shape.metrics, update)

    def bind(self, context: bytes) -> bytes:
        """A client's session context: what it was told to train, and how it is to encode that."""
        return bound_to(self._terms, context)

    def vectors(self) -> tuple[secagg.VectorSpec, ...]:
        """The session's vectors, those without a number left out."""
        floats = int(np.count_nonzero(~whole(self.metrics)))
        length, bits, checked = self._of_update
        specs = [
            ("update", length, bits),
            ("check", checked, 64),
            ("exact", self.sent[1] * self.exact.words, 64),
            ("counts", BEFORE_FAILED + len(self.metrics) + len(whole(self.metrics)) - floats, 64),
            ("metrics", floats * self.floats.words, 64),
        ]
        return tuple(secagg.VectorSpec(*spec) for spec in specs if spec[1])

    def encode(
        self, contribution: Contribution, rng: np.random.Generator
    ) -> dict[str, NDArray[Any]]:
        """One client's input. rng: rounds the update."""
        given = Submission.of(contribution, self.counted_metrics, self.max_weight)
        exact, coded = given.statistics, _NOTHING
        if self.update is None:
            exact = np.concatenate([given.delta, exact])
        elif self.update.length:
            coded = self.update.encode(_floats(given.delta), given.weight, rng)
        vectors = {
            "update": coded.words,
            "check": np.array([coded.check] * self._of_update[2], np.uint64),
            "exact": self.exact.encode(exact, given.weight),
            "counts": self._counts(given, coded.clipped),
            "metrics": self.floats.encode(given.metrics[~whole(self.metrics)]),
        }
        return {name: vector for name, vector in vectors.items() if vector.size}

    def _counts(self, given: Submission, clipped: int) -> NDArray[np.uint64]:
        why = (given.non_finite, given.bad_weight, given.empty, given.malformed)
        counts = np.array([given.weight, clipped, *why, *given.failed], np.uint64)
        return np.concatenate([counts, given.metrics[whole(self.metrics)].astype(np.uint64)])

    @cached_property
    def _terms(self) -> dict[str, object]:
        """All that says how to encode."""
        update = None if self.update is None else dict(self.update.terms)
        shape = {"n": self.n, "max_weight": self.max_weight, "sizes": self.sizes}
        return {**shape, "metrics": self.metrics, "update": update}

    @property
    def _of_update(self) -> tuple[int, int, int]:
        """Of the update: how many words, their bits, and how many words check its sum."""
        if self.update is None or not self.update.length:
            return (0, 64, 0)
        return (self.update.length, self.update.bits, int(self.update.checked))

    @property
    def sent(self) -> tuple[int, int]:
        """How many numbers are sent in the words of an update, and how many are exact."""
        d, s = self.sizes
        return (0, d + s) if self.update is None else (d, s)

    @cached_property
    def exact(self) -> ExactFloats:
        """How weighted numbers become words that have no step."""
        return ExactFloats(self.n, max_weight=self.max_weight)

    @cached_property
    def floats(self) -> ExactFloats:
        """How metrics become words."""
        return ExactFloats(self.n)

    @property
    def counted_metrics(self) -> list[Metric]:
        """`metrics` with counts that n clients can sum in a word."""
        limit = min(2**63 // self.n, 2**53)
        return [
            metric if metric.most is None else metric._replace(most=min(metric.most, limit))
            for metric in self.metrics
        ]


def _floats(numbers: Numbers) -> Numbers:
    return numbers.astype(np.float64) if numbers.dtype == object else numbers
