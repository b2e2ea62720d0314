"""The seam: how the contributions of a round become one sum. The only module that imports secagg.

    mean = Σ wᵤ·Δᵤ / Σ wᵤ over the survivors, metrics = Σ mᵤ

`SecureSum` runs the protocol, so that a server sees the sums and nothing of one client; `PlainSum`
is the same in the clear, exactly. Both have one method, `aggregate`, and the learning code cannot
tell them apart.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import NDArray

import secagg
from fl.contribution import (
    METRIC_SCALE,
    Aggregated,
    Aggregator,
    Contribution,
    Session,
    Submission,
    check_aggregator,
    metric_limit,
)
from fl.errors import AggregationError
from fl.plan import seed_sequence
from secagg import Quantizer
from secagg.messages import MaskedInput
from secagg.packing import unpack

# The protocol's errors, for modules and users that know only `fl`.
SecAggError = secagg.SecAggError
TooFewClients = secagg.TooFewClients

_TERMS_LABEL = b"secagg/v1/fl-session-terms"


@dataclass(frozen=True, kw_only=True)
class PlainSum:
    """The sum in the clear: float64, no clipping, no quantisation, the protocol's survivors.

    threshold: as in `SecureSum`.
    """

    threshold: int | float | None = None

    def __post_init__(self) -> None:
        _check_threshold(self.threshold)

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
        submitted = [Submission.of(contributions[u], n) for u in survivors]
        total = sum(s.weight for s in submitted)
        weighted = sum(s.weight * s.delta.astype(np.float64) for s in submitted)
        return Aggregated(
            kind="plain",
            total=np.asarray(weighted),
            weight=total,
            metrics=np.sum([s.metrics for s in submitted], axis=0),
            clients=list(range(n)),
            survivors=survivors,
            dropped=_dropped(session.dropouts, session.dropouts),
            threshold=threshold,
            clipped=0,
            non_finite=sum(s.non_finite for s in submitted),
            error_bound=0.0,
            bytes_up=_clear_bytes(contributions[0]),
            bytes_down=0,
            seconds=time.perf_counter() - started,
        )


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
        are those of `secagg.Params.choose`, and must not be given.
    clip: every coordinate of an update is clipped to [-clip, clip]; the clipped are counted.
    bits: the width of the update on the wire. The quantisation step follows from n, bits, clip
        and max_weight, as fine as cannot wrap.
    max_weight: the largest weight (number of examples) of one client.
    suite: what masks are made of, a suite of `secagg.Params`.
    observer: in simulation, sees every frame as (sender, receiver, bytes); None is the server.
    executor: in simulation, where clients and the server mask, if they are many enough; the sum is
        the same bit for bit, wherever. Its workers see everything.
    progress: in simulation, called with (protocol round, clients done, clients of that round).

    Raises AggregationError for numbers out of range, and for a dropout without corrupt, or besides
    a threshold or a graph.
    """

    threshold: int | float | None = None
    clip: float = 4.0
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
        _check_threshold(self.threshold)
        _check_range("bits", self.bits, 2, 64)
        _check_range("max_weight", self.max_weight, 1, math.inf)
        if not (isinstance(self.clip, SupportsFloat) and 0 < float(self.clip) < math.inf):
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
        self._params(_Terms(n, self.bits, self.clip, self.max_weight), (1, 1), b"")

    def aggregate(self, contributions: Sequence[Contribution], session: Session) -> Aggregated:
        """Run one session. Raises AggregationError for input that cannot be summed,
        secagg.TooFewClients when fewer than the threshold finish."""
        started = time.perf_counter()
        n = len(contributions)
        max_weight = self.max_weight if session.weighted else 1
        _check(contributions, max_weight)
        terms = _Terms(n, self.bits, self.clip, max_weight)
        inputs = {
            u: terms.encode(contribution, _rounding(session, u))
            for u, contribution in enumerate(contributions)
        }
        traffic = _Traffic(self.observer)
        sizes = contributions[0].delta.size, contributions[0].metrics.size
        params = self._params(terms, sizes, session.contexts[0])
        result = secagg.run(
            params,
            inputs,
            drop=dict(session.dropouts),
            link=traffic.carry,
            executor=self.executor,
            progress=self.progress,
            contexts={u: terms.bind(context) for u, context in enumerate(session.contexts)},
        )
        return terms.decode(
            result.vectors,
            clients=list(range(n)),
            survivors=list(result.survivors),
            dropped=_dropped(result.dropped, session.dropouts),
            threshold=params.min_survivors,
            bytes_up=traffic.up // n,
            bytes_down=traffic.down // n,
            seconds=time.perf_counter() - started,
        )

    def _params(self, terms: _Terms, sizes: tuple[int, int], context: bytes) -> secagg.Params:
        n, vectors = terms.n, terms.vectors(*sizes)
        bound = terms.bind(context)
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


@dataclass(frozen=True)
class _Terms:
    """How inputs of one session become ring vectors: the same for every client."""

    n: int
    bits: int
    clip: float
    max_weight: int

    @property
    def update(self) -> Quantizer:
        return Quantizer(self.n, self.bits, self.clip, max_weight=self.max_weight)

    @property
    def metrics(self) -> Quantizer:
        return Quantizer(self.n, 64, metric_limit(self.n), scale=METRIC_SCALE)

    def bind(self, context: bytes) -> bytes:
        """A client's session context: what it was told to train, and how it is to encode that."""
        terms = {**asdict(self), "scale": 1 / self.update.step, "metric_scale": METRIC_SCALE}
        text = json.dumps(terms, sort_keys=True).encode()
        return hashlib.sha256(_TERMS_LABEL + hashlib.sha256(text).digest() + context).digest()

    def vectors(self, d: int, m: int) -> tuple[secagg.VectorSpec, ...]:
        update = (secagg.VectorSpec("update", d, self.bits),) if d else ()
        return (
            *update,
            secagg.VectorSpec("counts", 3, 64),
            secagg.VectorSpec("metrics", m, 64),
        )

    def encode(
        self, contribution: Contribution, rng: np.random.Generator
    ) -> dict[str, NDArray[Any]]:
        """One client's input."""
        submission = Submission.of(contribution, self.n)
        update, clipped = self.update.encode(submission.delta, submission.weight, rng)
        metrics, _ = self.metrics.encode(submission.metrics)
        counts = [submission.weight, clipped, submission.non_finite]
        vectors = {"counts": np.array(counts, np.uint64), "metrics": metrics}
        return {"update": update, **vectors} if update.size else vectors

    def decode(self, sums: Mapping[str, NDArray[Any]], **rest: Any) -> Aggregated:
        weight, clipped, non_finite = (int(count) for count in sums["counts"])
        update = self.update.decode(sums["update"]) if "update" in sums else np.zeros(0)
        bound = self.update.error_bound(len(rest["survivors"]), stochastic=True)
        return Aggregated(
            kind="secure",
            total=update,
            weight=weight,
            metrics=self.metrics.decode(sums["metrics"]),
            clipped=clipped,
            non_finite=non_finite,
            error_bound=float(bound / weight) if weight else 0.0,
            **rest,
        )


def chosen_sum(aggregator: Aggregator | None, default: Aggregator | None = None) -> Aggregator:
    """The aggregator; where none is given, the default or `SecureSum()`. Raises AggregationError
    for what is no aggregator."""
    if aggregator is None:
        return default or SecureSum()
    check_aggregator(aggregator)
    return aggregator


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


def masked_update(frame: bytes, d: int, bits: int) -> NDArray[Any] | None:
    """The masked update of d words in a frame seen by an observer; None for any other frame."""
    message = secagg.wire.decode(frame)
    if not isinstance(message, MaskedInput):
        return None
    # The hidden tally word follows the update.
    return unpack(secagg.VectorSpec("update", d, bits), d + 1, message.vectors[0])[:d]


def resolve_threshold(threshold: int | float | None, n: int) -> int:
    """How many of n clients must finish. Raises AggregationError outside 1..n."""
    if threshold is None:
        return 2 * n // 3 + 1
    # The rounding takes back what binary fractions add: 0.55 of 100 is 55 clients, not 56.
    t = math.ceil(round(threshold * n, 9)) if isinstance(threshold, float) else threshold
    if not 1 <= t <= n:
        raise AggregationError(f"threshold {threshold} is {t} of {n} clients: 1 to {n} expected")
    return t


def _check_threshold(threshold: Any) -> None:
    if threshold is None or (isinstance(threshold, int) and threshold >= 1):
        return
    if not (isinstance(threshold, float) and 0 < threshold <= 1):
        raise AggregationError(
            f"threshold={threshold!r}: a number of clients from 1, or a fraction above 0 and at "
            "most 1.0 expected"
        )


def _check_range(name: str, value: Any, low: int, high: float) -> None:
    if not (isinstance(value, int) and low <= value <= high):
        raise AggregationError(f"{name}={value!r}: an int in {low}..{high} expected")


def _resolve_corrupt(corrupt: int | float | None, n: int) -> int | None:
    # As above, the other way round: at most so many.
    return math.floor(round(corrupt * n, 9)) if isinstance(corrupt, float) else corrupt


def _check(contributions: Sequence[Contribution], max_weight: int) -> None:
    if len(contributions) < 2:
        raise AggregationError("one client alone: its update would be the sum")
    for client, contribution in enumerate(contributions):
        if not 0 <= contribution.weight <= max_weight:
            raise AggregationError(
                f"client {client} has weight {contribution.weight}: "
                f"at most max_weight={max_weight} expected"
            )


def _rounding(session: Session, client: int) -> np.random.Generator:
    return np.random.default_rng(seed_sequence(session.seed, session.round, client, "rounding"))


def _dropped(gone: Mapping[int, int], planned: Mapping[int, int]) -> list[dict[str, Any]]:
    return [
        {"client": u, "round": gone[u], "reason": "dropout" if u in planned else "refused"}
        for u in sorted(gone)
    ]


def _clear_bytes(contribution: Contribution) -> int:
    return contribution.delta.nbytes + contribution.metrics.nbytes + 8
