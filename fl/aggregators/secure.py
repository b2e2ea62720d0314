"""The sum by the protocol: one session of `secagg` for one sum."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import SupportsFloat

import numpy as np

import secagg
from fl.aggregators.codings.clipped import Clipped, Exact
from fl.aggregators.codings.interface import Coding, Least, SessionDecoding, SessionEncoding
from fl.aggregators.contribution import Contribution, Metric, State
from fl.aggregators.interface import (
    Aggregator,
    Announced,
    Session,
    SumShape,
    Vectors,
    check_aggregator,
    rounding,
)
from fl.aggregators.thresholds import check_threshold, dropped, resolve_threshold
from fl.aggregators.totals import Aggregated, Extra, GraphReport, Phase, Totals
from fl.errors import AggregationError
from fl.progress.watch import current, watching
from secagg.graph import Graph

MAX_WEIGHT = 2**29  # with it, a float32 still has an exact product in float64
_ANY = (Metric("metrics", 1),)  # whether n clients can be summed does not depend on what they sum

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
    coding: another way to write updates, in place of clip and bits: `fl.aggregators.Rotated` for
        fewer bits, `fl.aggregators.DistributedNoise` for a sum that is itself private.
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
    coding: Coding | None = None
    graph: Graph | None = None
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
            raise AggregationError(f"clip={self.clip!r}, expected a finite number above 0")
        self._check_coding()
        if self.dropout is None:
            return
        if self.corrupt is None:
            raise AggregationError(f"dropout={self.dropout} without corrupt, expected both")
        if self.threshold is not None or self.graph is not None:
            raise AggregationError(
                f"threshold={self.threshold}, graph={self.graph} with dropout={self.dropout}, "
                "expected None for both: they follow from corrupt and dropout"
            )

    def _check_coding(self) -> None:
        if self.coding is not None and (self.clip, self.bits) != (SecureSum.clip, SecureSum.bits):
            raise AggregationError(
                f"clip={self.clip}, bits={self.bits} with a coding, expected neither: they are of "
                "the coding"
            )

    def check(self, n: int) -> None:
        """Raise FLError or SecAggError where no n clients could be summed, whatever they sent."""
        encoding = self._coding.encoding(
            SumShape(n, (1, 0), _ANY, weighted=False), (), self.least(n)
        )
        self._params(encoding, b"")

    def announce(self, state: State) -> Announced:
        """What the coding announces; nothing for one that has no `state`."""
        return self._coding.announce(state)

    def client_side(self, shape: SumShape, announced: Announced = ()) -> SecureClient:
        """One client's half: its vectors for a `secagg.Client`, and the parameters to expect."""
        encoding = self._coding.encoding(shape, announced, self.least(shape.n))
        return SecureClient(encoding, self._params)

    def server_side(self, shape: SumShape, state: State = ()) -> SecureServer:
        """The server's half: the parameters of its `secagg.Server`, and what the sums say."""
        return SecureServer(self._coding.decoding(shape, state, self.least(shape.n)), self._params)

    @watching()
    def aggregate(self, contributions: Sequence[Contribution], session: Session) -> Aggregated:
        """Run one session. Raises AggregationError for one client alone, ImplausibleSum for a sum
        that no honest clients give, secagg.TooFewClients when fewer than the threshold finish."""
        started = time.perf_counter()
        n = len(contributions)
        if n < 2:
            raise AggregationError(
                "one client alone, expected at least 2: the sum would be its update"
            )
        shape = session.shape_of(contributions)
        client = self.client_side(shape, self.announce(session.state))
        server = self.server_side(shape, session.state)
        traffic = _Traffic(self.observer)
        params = server.params(session.contexts[0])
        result = secagg.run(
            params,
            _Inputs(contributions, client, session),
            drop=dict(session.dropouts),
            link=traffic.carry,
            executor=self.executor,
            progress=self.progress or current().summed,
            contexts={u: client.bind(context) for u, context in enumerate(session.contexts)},
        )
        totals = server.decode(result.vectors, len(result.survivors))
        return Aggregated.of(
            replace(totals, extra=_extra(params, traffic.phases(n), totals.extra)),
            kind="secure",
            clients=range(n),
            survivors=result.survivors,
            dropped=dropped(result.dropped, session.dropouts),
            threshold=params.min_survivors,
            bytes_up=sum(traffic.up) // n,
            bytes_down=sum(traffic.down) // n,
            seconds=time.perf_counter() - started,
        )

    @property
    def _coding(self) -> Coding:
        if self.coding is not None:
            return self.coding
        if self.clip is None:
            return Exact(self.max_weight)
        return Clipped(float(self.clip), self.bits, self.max_weight)

    def least(self, n: int) -> Least:
        """Whom a session of n clients has at the least: survivors, and corrupt ones among them."""
        params = self._session(n, (secagg.VectorSpec("any", 1, 64),), bytes(32))
        return Least(params.min_survivors, params.corrupt)

    def _params(self, encoding: SessionEncoding, context: bytes) -> secagg.Params:
        return self._session(encoding.n, encoding.vectors(), encoding.bind(context))

    def _session(
        self, n: int, vectors: tuple[secagg.VectorSpec, ...], context: bytes
    ) -> secagg.Params:
        if self.corrupt is not None and self.dropout is not None:
            return secagg.Params.choose(
                n,
                vectors,
                corrupt=self.corrupt,
                dropout=self.dropout,
                context=context,
                suite=self.suite,
            )
        t, corrupt = resolve_threshold(self.threshold, n), _resolve_corrupt(self.corrupt, n)
        return secagg.Params(
            n,
            vectors,
            t=t,
            corrupt=corrupt,
            graph=self.graph,
            context=context,
            suite=self.suite,
        )


_ParamsOf = Callable[[SessionEncoding, bytes], secagg.Params]


@dataclass(frozen=True)
class SecureClient:
    """One client's half: its contribution as ring words."""

    encoding: SessionEncoding
    params_of: _ParamsOf = field(repr=False)

    def bind(self, context: bytes) -> bytes:
        """The session's context: what the client was told to do, and how it encodes the result."""
        return self.encoding.bind(context)

    def params(self, context: bytes) -> secagg.Params:
        """The session that the client takes part in, by its own configuration."""
        return self.params_of(self.encoding, context)

    def encode(self, contribution: Contribution, rng: np.random.Generator) -> Vectors:
        """The input of its `secagg.Client`."""
        return self.encoding.encode(contribution, rng)


@dataclass(frozen=True)
class SecureServer:
    """The server's half: what the sums of the words say."""

    decoding: SessionDecoding
    params_of: _ParamsOf = field(repr=False)

    def params(self, context: bytes) -> secagg.Params:
        """The session to open, for clients that were sent the message with this digest."""
        return self.params_of(self.decoding.encoding, context)

    def decode(self, sums: Vectors, survivors: int) -> Totals:
        """What `secagg.Aggregate.vectors` says. Raises ImplausibleSum."""
        return self.decoding.decode(sums, survivors)


def chosen_sum(aggregator: Aggregator | None, default: Aggregator | None = None) -> Aggregator:
    """The aggregator; where none is given, the default or `SecureSum()`. Raises AggregationError
    for what is no aggregator."""
    if aggregator is None:
        return default or SecureSum()
    check_aggregator(aggregator)
    return aggregator


@dataclass(frozen=True)
class _Inputs(Mapping[int, Vectors]):
    """The clients' inputs, each encoded when its client takes it: one exists at a time."""

    contributions: Sequence[Contribution]
    client: SecureClient
    session: Session

    def __getitem__(self, u: int) -> Vectors:
        rng = rounding(self.session.seed, self.session.round, u)
        return self.client.encode(self.contributions[u], rng)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.contributions)))

    def __len__(self) -> int:
        return len(self.contributions)


class _Traffic:
    """A link that delivers every frame, and counts bytes and seconds of each round of the protocol.

    A round begins with the server's frames, the first one with the clients'.
    """

    def __init__(self, observer: Observer | None) -> None:
        self.up, self.down = [0], [0]
        self._begun = [time.perf_counter()]
        self._observer = observer

    def carry(self, sender: int | None, receiver: int | None, frame: bytes) -> bytes:
        if sender is not None:
            self.up[-1] += len(frame)
        else:
            if self.up[-1]:  # clients have answered: this is the next round
                self.up.append(0)
                self.down.append(0)
                self._begun.append(time.perf_counter())
            self.down[-1] += len(frame)
        if self._observer is not None:
            self._observer(sender, receiver, frame)
        return frame

    def phases(self, n: int) -> list[Phase]:
        """The rounds of the protocol, of which the last one ends now."""
        ends = [*self._begun[1:], time.perf_counter()]
        return [
            Phase(bytes_up=up // n, bytes_down=down // n, seconds=end - begun)
            for up, down, begun, end in zip(self.up, self.down, self._begun, ends, strict=True)
        ]


def _check_range(name: str, value: object, low: int, high: float) -> None:
    if not (isinstance(value, int) and low <= value <= high):
        raise AggregationError(f"{name}={value!r}, expected an int in {low}..{high}")


def _resolve_corrupt(corrupt: int | float | None, n: int) -> int | None:
    # As above, the other way round: at most so many.
    return math.floor(round(corrupt * n, 9)) if isinstance(corrupt, float) else corrupt


def _extra(params: secagg.Params, phases: list[Phase], of_the_coding: Extra) -> Extra:
    return Extra(graph=_graph(params), phases=phases, **of_the_coding)


def _graph(params: secagg.Params) -> GraphReport:
    """The graph for people."""
    kind = type(params.graph).__name__.lower()
    k = params.graph.neighbours(params.n)
    return GraphReport(kind=kind, k=k, failure_probability=2.0**params.leak)
