"""What the sums of ring words say, if honest clients can give it: the server's half.

An honest client cannot give just any words, so honest clients cannot give just any sum. `decode`
checks each sum for what every honest round satisfies, rounding included, and raises ImplausibleSum.
A client that lies can still say anything that these bounds leave: docs/security.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fl.aggregators.contribution import LARGEST, Sums, parts, whole
from fl.aggregators.encoding import BEFORE_FAILED, Encoding
from fl.aggregators.interface import Vectors
from fl.aggregators.totals import Totals
from fl.errors import ImplausibleSum

_FLOAT64 = 1 + 2.0**-50  # what float64 adds to a bound, three times rounded


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
class Decoding:
    """Reads the sums of what clients encoded."""

    encoding: Encoding

    def decode(self, sums: Vectors, survivors: int) -> Totals:
        """What the sums over so many survivors say.

        Raises ImplausibleSum for what no honest survivors give.
        """
        counts = self._counts(sums["counts"].tolist(), survivors)
        coordinates = survivors * self.encoding.sent[0]
        metrics = self.encoding.metrics
        return Totals(
            total=self._total(sums, counts),
            weight=counts.weight,
            metrics=self._metrics(sums, [counts.counted - failed for failed in counts.failed]),
            counted=counts.counted,
            clipped=counts.clipped,
            clipped_fraction=counts.clipped / max(coordinates, 1),
            non_finite=counts.non_finite,
            bad_weights=counts.bad_weights,
            empty=counts.empty,
            malformed=counts.malformed,
            failed={m.name: n for m, n in zip(metrics, counts.failed, strict=True)},
            rounding=self._rounding(survivors),
        )

    def _counts(self, counts: list[int], survivors: int) -> _Counts:
        weight, clipped, non_finite, bad_weights, empty, malformed = counts[:BEFORE_FAILED]
        failed = counts[BEFORE_FAILED : BEFORE_FAILED + len(self.encoding.metrics)]
        why = (non_finite, bad_weights, empty, malformed)
        counted = survivors - sum(why)
        _check(
            counted >= 0 and all(count <= counted for count in failed),
            f"more clients than the {survivors} in the sum say that something of theirs is not",
        )
        most = counted * self.encoding.max_weight
        _check(
            counted <= weight <= most,
            f"weights that sum to {weight}, expected {counted} to {most} of {counted} clients",
        )
        there = counted * self.encoding.sent[0]
        _check(clipped <= there, f"{clipped} coordinates clipped of {there} that there are")
        return _Counts(counted, weight, clipped, *why, failed)

    def _total(self, sums: Vectors, counts: _Counts) -> Sums:
        update, exact = np.zeros(0), np.zeros(0)
        quantizer, clip = self.encoding.update, self.encoding.clip
        if quantizer is not None and clip is not None and "update" in sums:
            update = quantizer.decode(sums["update"])
            # A client's word is rounded by less than a step.
            most = (clip * counts.weight + counts.counted * quantizer.step) * _FLOAT64
            low, high = float(update.min(initial=0)), float(update.max(initial=0))
            _check(-most <= low and high <= most, "updates beyond the clip")
        if "exact" in sums:
            exact = self.encoding.exact.decode(sums["exact"])
            reachable = self.encoding.exact.reachable(sums["exact"], counts.counted)
            within = bool((np.abs(exact) <= counts.weight * LARGEST * _FLOAT64).all())
            _check(reachable and within, "statistics beyond the range of float32")
        return np.concatenate([update, exact])

    def _metrics(self, sums: Vectors, clients: Sequence[int]) -> Sums:
        """The sums of metrics, to each of which so many clients gave something."""
        metrics = self.encoding.metrics
        counts = whole(metrics)
        numbers = np.zeros(len(counts))
        numbers[counts] = sums["counts"][BEFORE_FAILED + len(metrics) :]
        givers = np.repeat(clients, [metric.size for metric in metrics])
        if "metrics" in sums:
            numbers[~counts] = self.encoding.floats.decode(sums["metrics"])
            reachable = self.encoding.floats.reachable(sums["metrics"], givers[~counts])
            within = bool((np.abs(numbers) <= givers * LARGEST * _FLOAT64)[~counts].all())
            _check(reachable and within, "metrics beyond the range of float32")
        for metric, part, given in zip(
            self.encoding.counted_metrics, parts(metrics), clients, strict=True
        ):
            if metric.most is not None:
                within = bool((numbers[part] <= given * metric.most * _FLOAT64).all())
                _check(within, f"a count of {metric.name!r} that {given} clients cannot reach")
            elif given == 0:
                numbers[part] = np.nan
        return numbers

    def _rounding(self, survivors: int) -> float:
        """The most by which rounding moves a coordinate of the sum, float64's of the sum aside."""
        quantizer = self.encoding.update
        if quantizer is None or not self.encoding.sent[0]:
            return survivors * self.encoding.exact.unit / 2  # of what is not float32
        return quantizer.error_bound(survivors, stochastic=True)


def _check(plausible: bool, seen: str) -> None:
    if not plausible:
        raise ImplausibleSum(f"{seen}, expected a sum that honest clients can give")
