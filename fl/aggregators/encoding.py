"""What a client submits as ring words: the client's half of the secure sum.

    update    w·Δ to a step, within ±clip (`Quantizer`)      exact     w·s (`ExactFloats`)
    counts    w, clipped, why a client counts for nothing    metrics   m (`ExactFloats`)

What the sums of those words say is read by `decoding`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import secagg
from fl.aggregators.contribution import Contribution, Metric, Numbers, Submission, whole
from secagg import ExactFloats, Quantizer

_TERMS_LABEL = b"secagg/v1/fl-session-terms"
BEFORE_FAILED = 6
"""Numbers of "counts" before those of the metrics."""


@dataclass(frozen=True)
class Encoding:
    """How inputs of one session become ring vectors: the same for every client.

    clip: of a coordinate of the update; None sends the update exactly, whatever it is.
    sizes: of an update and of the statistics. metrics: what the metrics consist of.
    """

    n: int
    bits: int
    clip: float | None
    max_weight: int
    sizes: tuple[int, int]
    metrics: tuple[Metric, ...]

    def bind(self, context: bytes) -> bytes:
        """A client's session context: what it was told to train, and how it is to encode that."""
        return hashlib.sha256(_TERMS_LABEL + self._terms + context).digest()

    def vectors(self) -> tuple[secagg.VectorSpec, ...]:
        """The session's vectors, those without a number left out."""
        quantised, exact = self.sent
        floats = int(np.count_nonzero(~whole(self.metrics)))
        specs = [
            ("update", quantised, self.bits),
            ("exact", exact * self.exact.words, 64),
            ("counts", BEFORE_FAILED + len(self.metrics) + len(whole(self.metrics)) - floats, 64),
            ("metrics", floats * self.floats.words, 64),
        ]
        return tuple(secagg.VectorSpec(*spec) for spec in specs if spec[1])

    def submission(self, contribution: Contribution) -> Submission:
        """What a client submits of its contribution."""
        return Submission.of(contribution, self.counted_metrics, self.max_weight)

    def encode(self, submission: Submission, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        """One client's input."""
        weight, metrics = submission.weight, submission.metrics
        exact, words, clipped = submission.statistics, np.zeros(0, np.uint64), 0
        if self.update is None:
            exact = np.concatenate([submission.delta, exact])
        else:
            words, clipped = self.update.encode(_floats(submission.delta), weight, rng)
        given = submission
        why = (given.non_finite, given.bad_weight, given.empty, given.malformed)
        counts = [weight, clipped, *why, *given.failed]
        counted = metrics[whole(self.metrics)].astype(np.uint64)
        vectors = {
            "update": words,
            "exact": self.exact.encode(exact, weight),
            "counts": np.concatenate([np.array(counts, np.uint64), counted]),
            "metrics": self.floats.encode(metrics[~whole(self.metrics)]),
        }
        return {name: vector for name, vector in vectors.items() if vector.size}

    @cached_property
    def _terms(self) -> bytes:
        """The digest of all that says how to encode."""
        step = None if self.update is None else self.update.step
        text = json.dumps({**asdict(self), "step": step}, sort_keys=True)
        return hashlib.sha256(text.encode()).digest()

    @property
    def sent(self) -> tuple[int, int]:
        """How many numbers are quantised, and how many are exact."""
        d, s = self.sizes
        return (0, d + s) if self.clip is None else (d, s)

    @cached_property
    def update(self) -> Quantizer | None:
        """How an update becomes words; None where it is sent exactly."""
        if self.clip is None:
            return None
        return Quantizer(self.n, self.bits, self.clip, max_weight=self.max_weight)

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
