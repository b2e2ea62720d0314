"""The sum in the clear, for comparison and where only learning matters."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl.aggregators.contribution import Contribution, Numbers, State, Submission, Sums, parts
from fl.aggregators.interface import Announced, Session, SumShape, Vectors, rounding
from fl.aggregators.thresholds import check_threshold, dropped, resolve_threshold
from fl.aggregators.totals import Aggregated, Totals
from secagg import TooFewClients

_BEFORE_FAILED = 5  # numbers of "counts" before those of the metrics


@dataclass(frozen=True, kw_only=True)
class PlainSum:
    """The sum in the clear: float64, no clipping, no quantisation, the protocol's survivors.

    What counts for nothing in `SecureSum` does here, but that no weight is too large.

    threshold: as in `SecureSum`.

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

    def announce(self, state: State) -> Announced:
        """Nothing."""
        return ()

    def client_side(self, shape: SumShape, announced: Announced = ()) -> PlainClient:
        """One client's half."""
        return PlainClient(shape)

    def server_side(self, shape: SumShape, state: State = ()) -> PlainServer:
        """The server's half."""
        return PlainServer(shape)

    def aggregate(self, contributions: Sequence[Contribution], session: Session) -> Aggregated:
        """Sum the survivors' contributions. Raises TooFewClients, AggregationError."""
        started = time.perf_counter()
        n = len(contributions)
        threshold = resolve_threshold(self.threshold, n)
        finished = n - len(session.dropouts)
        if finished < threshold:
            raise TooFewClients(f"{finished} clients finished, expected at least t={threshold}")
        survivors = [u for u in range(n) if session.dropouts.get(u, 5) > 2]
        shape = session.shape_of(contributions)
        client, server = self.client_side(shape), self.server_side(shape)
        sums = add_up(
            client.encode(contributions[u], rounding(session.seed, session.round, u))
            for u in survivors
        )
        return Aggregated.of(
            server.decode(sums, len(survivors)),
            kind="plain",
            clients=range(n),
            survivors=survivors,
            dropped=dropped(session.dropouts, session.dropouts),
            threshold=threshold,
            bytes_up=_clear_bytes(contributions[0]),
            seconds=time.perf_counter() - started,
        )


@dataclass(frozen=True)
class PlainClient:
    """The weighted numbers of one client, and its counts as Python's own integers."""

    shape: SumShape

    def bind(self, context: bytes) -> bytes:
        """The context as it is: nothing is rounded or clipped here."""
        return context

    def params(self, context: bytes) -> None:
        """None: there is no session."""
        return

    def encode(self, contribution: Contribution, rng: np.random.Generator) -> Vectors:
        """The vectors to add up; nothing is rounded."""
        most = math.inf if self.shape.weighted else 1
        given = Submission.of(contribution, self.shape.metrics, most)
        why = (given.non_finite, given.bad_weight, given.empty, given.malformed)
        return {
            "delta": _weighted(given.weight, given.delta),
            "statistics": _weighted(given.weight, given.statistics),
            "metrics": given.metrics,
            "counts": np.array([given.weight, *why, *given.failed], object),
        }


@dataclass(frozen=True)
class PlainServer:
    """What the sums of `PlainClient`'s vectors say."""

    shape: SumShape

    def params(self, context: bytes) -> None:
        """None: there is no session."""
        return

    def decode(self, sums: Vectors, survivors: int) -> Totals:
        """What the sums over so many survivors say."""
        weight, *why = sums["counts"][:_BEFORE_FAILED].tolist()
        failed = sums["counts"][_BEFORE_FAILED:].tolist()
        non_finite, bad_weights, empty, malformed = why
        counted = survivors - sum(why)
        deltas = [sums[name].astype(np.float64) for name in ("delta", "statistics")]
        return Totals(
            total=np.concatenate(deltas),
            weight=weight,
            metrics=self._metrics(sums["metrics"], [counted - count for count in failed]),
            counted=counted,
            clipped=0,
            clipped_fraction=0.0,
            non_finite=non_finite,
            bad_weights=bad_weights,
            empty=empty,
            malformed=malformed,
            failed={m.name: count for m, count in zip(self.shape.metrics, failed, strict=True)},
            rounding=0.0,
        )

    def _metrics(self, sums: Sums, givers: Sequence[int]) -> Sums:
        """The sums of metrics, to each of which so many clients gave something."""
        numbers, metrics = sums.copy(), self.shape.metrics
        for metric, part, clients in zip(metrics, parts(metrics), givers, strict=True):
            if metric.most is None and clients == 0:
                numbers[part] = np.nan
        return numbers


def add_up(submitted: Iterable[Vectors]) -> Vectors:
    """The sums of clients' vectors, of which one exists at a time; in the order of the clients."""
    sums: dict[str, NDArray[Any]] = {}
    metrics: list[Sums] = []
    for vectors in submitted:
        metrics.append(vectors["metrics"])
        for name in ("delta", "statistics", "counts"):
            sums[name] = sums.get(name, 0) + vectors[name]
    # numpy adds a single number's column in pairs, which rounds less than one by one
    sums["metrics"] = np.sum(metrics, axis=0)
    return sums


def _weighted(weight: int, numbers: Numbers) -> Numbers:
    """w·x in float64; Fractions stay what they are."""
    return weight * (numbers if numbers.dtype == object else numbers.astype(np.float64))


def _clear_bytes(contribution: Contribution) -> int:
    parts = (contribution.delta, contribution.statistics, contribution.metrics)
    return sum(part.nbytes for part in parts) + 8
