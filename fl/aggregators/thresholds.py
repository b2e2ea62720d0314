"""What both sums make of a threshold and of drop-outs."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fl.aggregators.totals import DroppedClient
from fl.errors import AggregationError


def resolve_threshold(threshold: int | float | None, n: int) -> int:
    """How many of n clients must finish. Raises AggregationError outside 1..n."""
    if threshold is None:
        return 2 * n // 3 + 1
    # The rounding takes back what binary fractions add: 0.55 of 100 is 55 clients, not 56.
    t = math.ceil(round(threshold * n, 9)) if isinstance(threshold, float) else threshold
    if not 1 <= t <= n:
        raise AggregationError(f"threshold {threshold} is {t} of {n} clients, expected 1 to {n}")
    return t


def check_threshold(threshold: object) -> None:
    """Raise AggregationError for what is neither a number of clients nor a fraction of them."""
    if threshold is None or (isinstance(threshold, int) and threshold >= 1):
        return
    if not (isinstance(threshold, float) and 0 < threshold <= 1):
        raise AggregationError(
            f"threshold={threshold!r}, expected a number of clients from 1, or a fraction above 0 "
            "and at most 1.0"
        )


def dropped(gone: Mapping[int, int], planned: Mapping[int, int]) -> list[DroppedClient]:
    """For a report: who is not in the sum, from which protocol round, and why."""
    return [
        DroppedClient(client=u, round=gone[u], reason="dropout" if u in planned else "refused")
        for u in sorted(gone)
    ]
