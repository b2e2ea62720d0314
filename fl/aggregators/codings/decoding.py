"""What the sums of ring words say, if honest clients can give it: the server's half.

An honest client cannot give just any words, so honest clients cannot give just any sum. `decode`
checks each sum for what every honest round satisfies, rounding included, and raises ImplausibleSum.
A client that lies can still say anything that these bounds leave: docs/security.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fl.aggregators.codings.encoding import BEFORE_FAILED, Encoding
from fl.aggregators.contribution import LARGEST, State, Sums, parts, whole
from fl.aggregators.interface import Vectors
from fl.aggregators.totals import Extra, Totals
from fl.errors import ImplausibleSum

FLOAT64 = 1 + 2.0**-50  # what float64 adds to a bound, three times rounded


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
    """Reads the sums of what clients encoded.

    after: what the next sum needs to know of this one's update, which is None where it wrapped.
    """

    encoding: Encoding
    after: Callable[[Sums | None], State] = lambda total: ()

    def decode(self, sums: Vectors, survivors: int) -> Totals:
        """What the sums over so many survivors say.

        Raises ImplausibleSum for what no honest survivors give.
        """
        counts = self._counts(sums["counts"].tolist(), survivors)
        coordinates = survivors * self.encoding.sent[0]
        metrics, update = self.encoding.metrics, self._update(sums, counts)
        wrapped = update is None
        total = np.concatenate(
            [self._zeros() if update is None else update, self._exact(sums, counts)]
        )
        return Totals(
            total=total,
            weight=0 if wrapped else counts.weight,
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
            state=self.after(update),
            extra=Extra(wrapped=True) if wrapped else Extra(),
        )

    def _counts(self, counts: list[int], survivors: int) -> _Counts:
        weight, clipped, non_finite, bad_weights, empty, malformed = counts[:BEFORE_FAILED]
        failed = counts[BEFORE_FAILED : BEFORE_FAILED + len(self.encoding.metrics)]
        why = (non_finite, bad_weights, empty, malformed)
        counted = survivors - sum(why)
        must_be_plausible(
            counted >= 0 and all(count <= counted for count in failed),
            f"more clients than the {survivors} in the sum say that something of theirs is not",
        )
        most = counted * self.encoding.max_weight
        must_be_plausible(
            counted <= weight <= most,
            f"weights that sum to {weight}, expected {counted} to {most} of {counted} clients",
        )
        there = counted * self.encoding.sent[0]
        must_be_plausible(
            clipped <= there, f"{clipped} coordinates clipped of {there} that there are"
        )
        return _Counts(counted, weight, clipped, *why, failed)

    def _update(self, sums: Vectors, counts: _Counts) -> Sums | None:
        """The sum of updates as an `UpdateCode` reads it; None where it wrapped."""
        code = self.encoding.update
        if code is None or "update" not in sums:
            return np.zeros(0)
        check = int(sums["check"][0]) if code.checked else 0
        return code.decode(sums["update"], counts.weight, counts.counted, check)

    def _exact(self, sums: Vectors, counts: _Counts) -> Sums:
        """The sums of numbers that were sent exactly."""
        if "exact" not in sums:
            return np.zeros(0)
        exact = self.encoding.exact.decode(sums["exact"])
        reachable = self.encoding.exact.reachable(sums["exact"], counts.counted)
        within = bool((np.abs(exact) <= counts.weight * LARGEST * FLOAT64).all())
        must_be_plausible(reachable and within, "statistics beyond the range of float32")
        return exact

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
            within = bool((np.abs(numbers) <= givers * LARGEST * FLOAT64)[~counts].all())
            must_be_plausible(reachable and within, "metrics beyond the range of float32")
        for metric, part, given in zip(
            self.encoding.counted_metrics, parts(metrics), clients, strict=True
        ):
            if metric.most is not None:
                within = bool((numbers[part] <= given * metric.most * FLOAT64).all())
                must_be_plausible(
                    within, f"a count of {metric.name!r} that {given} clients cannot reach"
                )
            elif given == 0:
                numbers[part] = np.nan
        return numbers

    def _rounding(self, survivors: int) -> float:
        """The most by which rounding moves a coordinate of the sum, float64's of the sum aside."""
        if self.encoding.update is None or not self.encoding.sent[0]:
            return survivors * self.encoding.exact.unit / 2  # of what is not float32
        return self.encoding.update.rounding(survivors)

    def _zeros(self) -> Sums:
        return np.zeros(self.encoding.sizes[0])


def must_be_plausible(plausible: bool, seen: str) -> None:
    """Raise ImplausibleSum, with what was seen, for what is not."""
    if not plausible:
        raise ImplausibleSum(f"{seen}, expected a sum that honest clients can give")
