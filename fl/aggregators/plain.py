"""The sum in the clear, for comparison and where only learning matters."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fl.aggregators.contribution import (
    Aggregated,
    Contribution,
    Metric,
    Session,
    Submission,
    Sums,
    parts,
)
from fl.aggregators.thresholds import check_threshold, dropped, resolve_threshold
from secagg import TooFewClients


@dataclass(frozen=True, kw_only=True)
class PlainSum:
    """The sum in the clear: float64, no clipping, no quantisation, the protocol's survivors.

    What counts for nothing in `SecureSum` does here, but that no weight is too large. threshold: as
    in `SecureSum`.

    >>> process = fl.build_weighted_fed_avg(model_fn, aggregator=fl.PlainSum())
    >>> process.next(process.initialize(), clients).metrics["aggregator"]["kind"]
    'plain'
    """

    threshold: int | float | None = None

    def __post_init__(self) -> None:
        check_threshold(self.threshold)

    def check(self, n: int) -> None:
        """Raise AggregationError where no n clients could be summed, whatever they sent."""
        resolve_threshold(self.threshold, n)

    def aggregate(self, contributions: Sequence[Contribution], session: Session) -> Aggregated:
        """Sum the survivors' contributions. Raises TooFewClients, AggregationError."""
        started = time.perf_counter()
        n = len(contributions)
        threshold = resolve_threshold(self.threshold, n)
        finished = n - len(session.dropouts)
        if finished < threshold:
            raise TooFewClients(f"{finished} clients are fewer than t={threshold}")
        survivors = [u for u in range(n) if session.dropouts.get(u, 5) > 2]
        metrics = session.metrics_of(contributions)
        most = math.inf if session.weighted else 1
        submitted = [Submission.of(contributions[u], metrics, most) for u in survivors]
        return Aggregated(
            kind="plain",
            total=np.concatenate([_weighted(submitted, name) for name in ("delta", "statistics")]),
            weight=sum(s.weight for s in submitted),
            metrics=_summed_metrics(metrics, submitted),
            clients=list(range(n)),
            survivors=survivors,
            dropped=dropped(session.dropouts, session.dropouts),
            threshold=threshold,
            clipped=0,
            clipped_fraction=0.0,
            non_finite=sum(s.non_finite for s in submitted),
            bad_weights=sum(s.bad_weight for s in submitted),
            empty=sum(s.empty for s in submitted),
            malformed=sum(s.malformed for s in submitted),
            failed=_failed(metrics, submitted),
            rounding=0.0,
            bytes_up=_clear_bytes(contributions[0]),
            bytes_down=0,
            seconds=time.perf_counter() - started,
        )


def _weighted(submitted: Sequence[Submission], name: str) -> Sums:
    """Σ w·x of one part of the submissions; Fractions are summed as such."""
    rows = [(s.weight, getattr(s, name)) for s in submitted]
    total = sum(weight * (x if x.dtype == object else x.astype(np.float64)) for weight, x in rows)
    return np.asarray(total).astype(np.float64)


def _failed(metrics: Sequence[Metric], submitted: Sequence[Submission]) -> dict[str, int]:
    return {m.name: sum(s.failed[i] for s in submitted) for i, m in enumerate(metrics)}


def _summed_metrics(metrics: Sequence[Metric], submitted: Sequence[Submission]) -> Sums:
    numbers: Sums = np.sum([s.metrics for s in submitted], axis=0)
    there, failed = sum(s.weight > 0 for s in submitted), _failed(metrics, submitted)
    for metric, part in zip(metrics, parts(metrics), strict=True):
        if metric.most is None and failed[metric.name] == there:
            numbers[part] = np.nan  # nobody gave it
    return numbers


def _clear_bytes(contribution: Contribution) -> int:
    parts = (contribution.delta, contribution.statistics, contribution.metrics)
    return sum(part.nbytes for part in parts) + 8
