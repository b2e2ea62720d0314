"""What clients submit as ring words, and what the sums of those words say, if clients can give it.

    update    w·Δ to a step, within ±clip (`Quantizer`)      exact     w·s (`ExactFloats`)
    counts    w, clipped, why a client counts for nothing    metrics   m (`ExactFloats`)

An honest client cannot give just any words, so honest clients cannot give just any sum. `decode`
checks each sum for what every honest round satisfies, rounding included, and raises ImplausibleSum.
A client that lies can still say anything that these bounds leave: docs/security.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import secagg
from fl.aggregators.contribution import (
    LARGEST,
    Contribution,
    Metric,
    Numbers,
    Submission,
    Sums,
    parts,
    whole,
)
from fl.errors import ImplausibleSum
from secagg import ExactFloats, Quantizer

_TERMS_LABEL = b"secagg/v1/fl-session-terms"
_FLOAT64 = 1 + 2.0**-50  # what float64 adds to a bound, three times rounded
_BEFORE_FAILED = 6  # numbers of "counts" before those of the metrics

Words = Mapping[str, NDArray[Any]]


class _Counts(NamedTuple):
    """The sums of counts. counted: how many survivors count for something."""

    counted: int
    weight: int
    clipped: int
    non_finite: int
    bad_weights: int
    empty: int
    malformed: int
    failed: list[int]


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
        quantised, exact = self._sizes
        floats = int(np.count_nonzero(~whole(self.metrics)))
        specs = [
            ("update", quantised, self.bits),
            ("exact", exact * self._exact.words, 64),
            ("counts", _BEFORE_FAILED + len(self.metrics) + len(whole(self.metrics)) - floats, 64),
            ("metrics", floats * self._floats.words, 64),
        ]
        return tuple(secagg.VectorSpec(*spec) for spec in specs if spec[1])

    def submission(self, contribution: Contribution) -> Submission:
        """What a client submits of its contribution."""
        return Submission.of(contribution, self._counted_metrics, self.max_weight)

    def encode(self, submission: Submission, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        """One client's input."""
        weight, metrics = submission.weight, submission.metrics
        exact, words, clipped = submission.statistics, np.zeros(0, np.uint64), 0
        if self._update is None:
            exact = np.concatenate([submission.delta, exact])
        else:
            words, clipped = self._update.encode(_floats(submission.delta), weight, rng)
        seen = submission
        why = (seen.non_finite, seen.bad_weight, seen.empty, seen.malformed)
        counts = [weight, clipped, *why, *submission.failed]
        counted = metrics[whole(self.metrics)].astype(np.uint64)
        vectors = {
            "update": words,
            "exact": self._exact.encode(exact, weight),
            "counts": np.concatenate([np.array(counts, np.uint64), counted]),
            "metrics": self._floats.encode(metrics[~whole(self.metrics)]),
        }
        return {name: vector for name, vector in vectors.items() if vector.size}

    def decode(self, sums: Words, survivors: int) -> dict[str, Any]:
        """What the sums over so many survivors say, as fields of `Aggregated`.

        Raises ImplausibleSum for what no honest survivors give.
        """
        seen = self._counts(sums["counts"].tolist(), survivors)
        return {
            "total": self._total(sums, seen),
            "weight": seen.weight,
            "metrics": self._metrics(sums, [seen.counted - count for count in seen.failed]),
            "clipped": seen.clipped,
            "clipped_fraction": seen.clipped / max(survivors * self._sizes[0], 1),
            "non_finite": seen.non_finite,
            "bad_weights": seen.bad_weights,
            "empty": seen.empty,
            "malformed": seen.malformed,
            "failed": {m.name: n for m, n in zip(self.metrics, seen.failed, strict=True)},
            "rounding": self._rounding(survivors),
        }

    def _counts(self, counts: list[int], survivors: int) -> _Counts:
        weight, clipped, non_finite, bad_weights, empty, malformed = counts[:_BEFORE_FAILED]
        failed = counts[_BEFORE_FAILED : _BEFORE_FAILED + len(self.metrics)]
        why = (non_finite, bad_weights, empty, malformed)
        counted = survivors - sum(why)
        _check(
            counted >= 0 and all(count <= counted for count in failed),
            f"more clients than the {survivors} in the sum say that something of theirs is not",
        )
        most = counted * self.max_weight
        _check(
            counted <= weight <= most,
            f"weights that sum to {weight}: {counted} to {most} expected of {counted} clients",
        )
        there = counted * self._sizes[0]
        _check(clipped <= there, f"{clipped} coordinates clipped of {there} that there are")
        return _Counts(counted, weight, clipped, *why, failed)

    def _total(self, sums: Words, seen: _Counts) -> Sums:
        update, exact = np.zeros(0), np.zeros(0)
        if self._update is not None and self.clip is not None and "update" in sums:
            update = self._update.decode(sums["update"])
            # A client's word is rounded by less than a step.
            most = (self.clip * seen.weight + seen.counted * self._update.step) * _FLOAT64
            low, high = float(update.min(initial=0)), float(update.max(initial=0))
            _check(-most <= low and high <= most, "updates beyond the clip")
        if "exact" in sums:
            exact = self._exact.decode(sums["exact"])
            reachable = self._exact.reachable(sums["exact"], seen.counted)
            within = bool((np.abs(exact) <= seen.weight * LARGEST * _FLOAT64).all())
            _check(reachable and within, "statistics beyond the range of float32")
        return np.concatenate([update, exact])

    def _metrics(self, sums: Words, clients: list[int]) -> Sums:
        """The sums of metrics, to each of which so many clients gave something."""
        counts = whole(self.metrics)
        numbers = np.zeros(len(counts))
        numbers[counts] = sums["counts"][_BEFORE_FAILED + len(self.metrics) :]
        givers = np.repeat(clients, [metric.size for metric in self.metrics])
        if "metrics" in sums:
            numbers[~counts] = self._floats.decode(sums["metrics"])
            reachable = self._floats.reachable(sums["metrics"], givers[~counts])
            within = bool((np.abs(numbers) <= givers * LARGEST * _FLOAT64)[~counts].all())
            _check(reachable and within, "metrics beyond the range of float32")
        for metric, part, given in zip(
            self._counted_metrics, parts(self.metrics), clients, strict=True
        ):
            if metric.most is not None:
                within = bool((numbers[part] <= given * metric.most * _FLOAT64).all())
                _check(within, f"a count of {metric.name!r} that {given} clients cannot reach")
            elif given == 0:
                numbers[part] = np.nan
        return numbers

    def _rounding(self, survivors: int) -> float:
        """The most by which rounding moves a coordinate of the sum, float64's of the sum aside."""
        exact = survivors * self._exact.unit / 2  # of what is not float32
        if self._update is None or not self._sizes[0]:
            return exact
        return self._update.error_bound(survivors, stochastic=True)

    @cached_property
    def _terms(self) -> bytes:
        """The digest of all that says how to encode."""
        step = None if self._update is None else self._update.step
        text = json.dumps({**asdict(self), "step": step}, sort_keys=True)
        return hashlib.sha256(text.encode()).digest()

    @property
    def _sizes(self) -> tuple[int, int]:
        """How many numbers are quantised, and how many are exact."""
        d, s = self.sizes
        return (0, d + s) if self.clip is None else (d, s)

    @cached_property
    def _update(self) -> Quantizer | None:
        if self.clip is None:
            return None
        return Quantizer(self.n, self.bits, self.clip, max_weight=self.max_weight)

    @cached_property
    def _exact(self) -> ExactFloats:
        return ExactFloats(self.n, max_weight=self.max_weight)

    @cached_property
    def _floats(self) -> ExactFloats:
        return ExactFloats(self.n)

    @property
    def _counted_metrics(self) -> list[Metric]:
        """`metrics` with counts that n clients can sum in a word."""
        limit = min(2**63 // self.n, 2**53)
        return [
            metric if metric.most is None else metric._replace(most=min(metric.most, limit))
            for metric in self.metrics
        ]


def _floats(numbers: Numbers) -> Numbers:
    return numbers.astype(np.float64) if numbers.dtype == object else numbers


def _check(plausible: bool, seen: str) -> None:
    if not plausible:
        raise ImplausibleSum(f"{seen}: a sum that honest clients can give expected")
