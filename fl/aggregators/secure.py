"""The sum by the protocol: one session of `secagg` for one sum."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import NDArray

import secagg
from fl import seeds
from fl.aggregators.contribution import (
    Aggregated,
    Aggregator,
    Contribution,
    Metric,
    Session,
    check_aggregator,
)
from fl.aggregators.encoding import Encoding
from fl.aggregators.thresholds import check_threshold, dropped, resolve_threshold
from fl.errors import AggregationError
from fl.progress.watch import current, watching

MAX_WEIGHT = 2**29  # with it, a float32 still has an exact product in float64
_ANY = (Metric("metrics", 1),)

Observer = Callable[[int | None, int | None, bytes], None]
Progress = Callable[[int, int, int], None]


@dataclass(frozen=True, kw_only=True)
class SecureSum:
    """The sum by the protocol: the server sees no client's update, weight, count or metric.

    threshold: how many clients must finish; None is ⌊2n/3⌋+1, an int is a number of clients, a
        float a fraction of them.
    graph: a secagg graph; None is the complete one. A sparse one needs threshold and corrupt.
    corrupt: the most corrupt clients that the protocol withstands: an int is a number of clients,
        a float a fraction of them; None is the most that the threshold withstands.
    dropout: the fraction of clients that may go missing. With it, and corrupt, threshold and graph
        are the cheapest that withstand both, those of `secagg.Params.choose`, and must not be
        given; the report of a round says which, and with what probability the graph fails.
    clip: every coordinate of an update is clipped to [-clip, clip]; the clipped are counted. With
        None there is no range and no step: the sum is exact, in 5 to 7 words of 64 bits a
        coordinate, as that of statistics and metrics always is.
    bits: the width of the update on the wire, 2 to 64, with 2^(bits - 1) > n. The quantisation step
        follows from n, bits, clip and max_weight, as fine as cannot wrap.
    max_weight: the largest weight (number of examples) of one client, up to 2^29. A client with
        more counts for nothing, and is counted.
    suite: what masks are made of, a suite of `secagg.Params`.
    observer: in simulation, sees every frame as (sender, receiver, bytes); None is the server.
    executor: in simulation, where clients and the server mask, if they are many enough; the sum is
        the same bit for bit, wherever. Its workers see everything.
    progress: in simulation, called with (protocol round, clients done, clients of that round), in
        place of the bars that appear after two seconds (`fl.show_progress`).

    Raises AggregationError for numbers out of range, and for a dropout without corrupt, or besides
    a threshold or a graph.

    >>> aggregator = fl.SecureSum(bits=24, max_weight=100)
    >>> process = fl.build_weighted_fed_avg(model_fn, aggregator=aggregator)
    >>> metrics = process.next(process.initialize(), clients, dropouts={2: 1}).metrics
    >>> metrics["aggregator"]["survivors"], metrics["aggregator"]["threshold"]
    ([0, 1, 3], 3)
    """

    threshold: int | float | None = None
    clip: float | None = 4.0
    bits: int = 32
    max_weight: int = 16384
    graph: Any = None
    corrupt: int | float | None = None
    dropout: float | None = None
    suite: secagg.Suite = "aes128-ctr"
    observer: Observer | None = None
    executor: Executor | None = field(default=None, compare=False, repr=False)
    progress: Progress | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_threshold(self.threshold)
        _check_range("bits", self.bits, 2, 64)
        _check_range("max_weight", self.max_weight, 1, MAX_WEIGHT)
        if self.clip is not None and not (
            isinstance(self.clip, SupportsFloat) and 0 < float(self.clip) < math.inf
        ):
            raise AggregationError(f"clip={self.clip!r}: a finite number above 0 expected")
        if self.dropout is None:
            return
        if self.corrupt is None:
            raise AggregationError(f"dropout={self.dropout} without corrupt: both expected")
        if self.threshold is not None or self.graph is not None:
            raise AggregationError(
                f"threshold={self.threshold}, graph={self.graph} with dropout={self.dropout}: "
                "threshold and graph follow from corrupt and dropout"
            )

    def check(self, n: int) -> None:
        """Raise AggregationError or SecAggError where no n clients could be summed, whatever they
        sent."""
        self._params(self._encoding(n, self.max_weight, (1, 0), _ANY), b"")

    @watching()
    def aggregate(self, contributions: Sequence[Contribution], session: Session) -> Aggregated:
        """Run one session. Raises AggregationError for one client alone, ImplausibleSum for a sum
        that no honest clients give, secagg.TooFewClients when fewer than the threshold finish."""
        started = time.perf_counter()
        n = len(contributions)
        if n < 2:
            raise AggregationError("one client alone: its update would be the sum")
        metrics, max_weight = session.metrics_of(contributions), self.max_weight
        sizes = contributions[0].sizes[:2]
        encoding = self._encoding(n, max_weight if session.weighted else 1, sizes, metrics)
        inputs = _Inputs(contributions, encoding, session)
        traffic = _Traffic(self.observer)
        params = self._params(encoding, session.contexts[0])
        result = secagg.run(
            params,
            inputs,
            drop=dict(session.dropouts),
            link=traffic.carry,
            executor=self.executor,
            progress=self.progress or current().summed,
            contexts={u: encoding.bind(context) for u, context in enumerate(session.contexts)},
        )
        return Aggregated(
            kind="secure",
            **encoding.decode(result.vectors, len(result.survivors)),
            clients=list(range(n)),
            survivors=list(result.survivors),
            dropped=dropped(result.dropped, session.dropouts),
            threshold=params.min_survivors,
            bytes_up=traffic.up // n,
            bytes_down=traffic.down // n,
            extra={"graph": _graph(params)},
            seconds=time.perf_counter() - started,
        )

    def _encoding(
        self, n: int, max_weight: int, sizes: tuple[int, int], metrics: tuple[Metric, ...]
    ) -> Encoding:
        clip = None if self.clip is None else float(self.clip)
        return Encoding(n, self.bits, clip, max_weight, sizes, metrics)

    def _params(self, encoding: Encoding, context: bytes) -> secagg.Params:
        n, vectors = encoding.n, encoding.vectors()
        bound = encoding.bind(context)
        if self.corrupt is not None and self.dropout is not None:
            return secagg.Params.choose(
                n,
                vectors,
                corrupt=self.corrupt,
                dropout=self.dropout,
                context=bound,
                suite=self.suite,
            )
        t, corrupt = resolve_threshold(self.threshold, n), _resolve_corrupt(self.corrupt, n)
        return secagg.Params(
            n,
            vectors,
            t=t,
            corrupt=corrupt,
            graph=self.graph,
            context=bound,
            suite=self.suite,
        )


def chosen_sum(aggregator: Aggregator | None, default: Aggregator | None = None) -> Aggregator:
    """The aggregator; where none is given, the default or `SecureSum()`. Raises AggregationError
    for what is no aggregator."""
    if aggregator is None:
        return default or SecureSum()
    check_aggregator(aggregator)
    return aggregator


@dataclass(frozen=True)
class _Inputs(Mapping[int, Mapping[str, NDArray[Any]]]):
    """The clients' inputs, each encoded when its client takes it: one exists at a time."""

    contributions: Sequence[Contribution]
    encoding: Encoding
    session: Session

    def __getitem__(self, u: int) -> Mapping[str, NDArray[Any]]:
        submission = self.encoding.submission(self.contributions[u])
        return self.encoding.encode(submission, _rounding(self.session, u))

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.contributions)))

    def __len__(self) -> int:
        return len(self.contributions)


class _Traffic:
    """A link that delivers every frame and counts its bytes."""

    def __init__(self, observer: Observer | None) -> None:
        self.up = self.down = 0
        self._observer = observer

    def carry(self, sender: int | None, receiver: int | None, frame: bytes) -> bytes:
        if sender is None:
            self.down += len(frame)
        else:
            self.up += len(frame)
        if self._observer is not None:
            self._observer(sender, receiver, frame)
        return frame


def _check_range(name: str, value: Any, low: int, high: float) -> None:
    if not (isinstance(value, int) and low <= value <= high):
        raise AggregationError(f"{name}={value!r}: an int in {low}..{high} expected")


def _resolve_corrupt(corrupt: int | float | None, n: int) -> int | None:
    # As above, the other way round: at most so many.
    return math.floor(round(corrupt * n, 9)) if isinstance(corrupt, float) else corrupt


def _graph(params: secagg.Params) -> dict[str, Any]:
    """The graph for people: k neighbours each, and how likely it leaks more than the sum."""
    kind = type(params.graph).__name__.lower()
    k = params.graph.neighbours(params.n)
    return {"kind": kind, "k": k, "failure_probability": 2.0**params.leak}


def _rounding(session: Session, client: int) -> np.random.Generator:
    sequence = seeds.of_client(session.seed, session.round, client, "rounding")
    return np.random.Generator(np.random.SFC64(sequence))
