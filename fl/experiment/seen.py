"""What the server saw of one client in one round, beside what it did not see: histograms alone.

    true update    what the client has         in a simulation alone
    masked         what the client sends       words of the ring, of which every value is as likely
    mean           what the server reads from the sum of all

`fl train --report` and `fl demo --report` record it. That a true update stands beside is a
simulation's privilege; of it, as of the others, the counts of `BINS` equal bins are kept, and their
ends, rounded outwards to one digit: no coordinate is.
"""

from __future__ import annotations

import math
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from fl.aggregators.observed import Observed

BINS = 40


class Histogram(TypedDict):
    """Counts of equal bins from low to high."""

    low: float
    high: float
    counts: list[int]


class Seen(TypedDict):
    """Of one client in one round. bits: of a masked word."""

    round: int
    client: str
    bits: int
    true_update: Histogram
    masked: Histogram
    mean: Histogram


def seen_of(observed: Observed, round_number: int, client: str) -> Seen:
    """The histograms: of numbers around zero, and of words over the whole ring."""
    return {
        "round": round_number,
        "client": client,
        "bits": observed.bits,
        "true_update": _around_zero(observed.true_update),
        "masked": _histogram(observed.masked, 0.0, 2.0**observed.bits),
        "mean": _around_zero(observed.mean),
    }


def _around_zero(values: NDArray[Any]) -> Histogram:
    finite = values[np.isfinite(values)]  # a client whose update is not finite sends zeros
    end = _rounded_up(float(np.abs(finite).max(initial=0.0)) or 1.0)
    return _histogram(finite, -end, end)


def _rounded_up(number: float) -> float:
    """To one digit, so that the ends of a histogram are no coordinate."""
    unit = 10.0 ** math.floor(math.log10(number))
    return math.ceil(number / unit) * unit


def _histogram(values: NDArray[Any], low: float, high: float) -> Histogram:
    counts, _ = np.histogram(values.astype(np.float64), BINS, (low, high))
    return {"low": low, "high": high, "counts": counts.tolist()}
