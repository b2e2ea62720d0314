"""What comes out of a sum: the totals, what the session cost, and the report of both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np

from fl.aggregators.contribution import State, Sums
from fl.errors import SumWarning, TooFewClients
from fl.warn import warn

CLIPPED = 1e-3
"""Where more than this part of all coordinates is clipped, a round warns."""


class DroppedClient(TypedDict):
    """A client that is not in the sum, or missed its end: from which protocol round, and why."""

    client: int
    round: int
    reason: str


class GraphReport(TypedDict):
    """A session's graph: k neighbours each, and how likely it leaks more than the sum."""

    kind: str
    k: int
    failure_probability: float


class NoiseReport(TypedDict):
    """The noise of a sum: what accounts need to know (`fl.privacy.Release`).

    noise_multiplier: z of the sum as it was, over what one client can move it. promised: the least
    that the session could have had. shares: of how many clients' noise it certainly is; 1 for
    noise of the server. l2, dimension: the sensitivity in units of the integers, 1.0 and 1 for
    noise that is no sum of integers'.
    """

    mechanism: str
    noise_multiplier: float
    promised: float
    shares: int
    l2: float
    dimension: int


class Phase(TypedDict):
    """A round of the protocol: bytes, mean over clients, and seconds of all parties together."""

    bytes_up: int
    bytes_down: int
    seconds: float


class Extra(TypedDict, total=False):
    """What only some aggregators report: a secure sum, clipping by norm, noise; and whether the
    update's sum wrapped, so that there is none.

    phases: the five rounds of the protocol, in a simulation.
    """

    graph: GraphReport
    phases: list[Phase]
    clip_norm: float
    clip_fraction: float
    wrapped: bool
    noise: NoiseReport


class SumReport(Extra):
    """What a round's metrics say under "aggregator"; the fields are those of `Aggregated`.

    non_finite: how many clients' update or metric is not in the sum, by its name; `update` first.
    """

    kind: str
    clients: list[int]
    survivors: list[int]
    dropped: list[DroppedClient]
    threshold: int
    clipped: int
    clipped_fraction: float
    error_bound: float | None
    bad_weights: int
    bytes_up: int
    bytes_down: int
    without_examples: int
    malformed: int
    non_finite: dict[str, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class Totals:
    """What the server half of an aggregator reads from the sums over the survivors.

    total: float64[d + s], Σ w·(Δ ‖ s); weight: Σ w, 0 where there is no sum; metrics: float64[m],
        NaN where a metric of floats comes from nobody. measured: whether metrics were summed at
        all; where only noisy sums may be known, they are not.
    counted: how many survivors count for something.
    clipped, clipped_fraction: coordinates of Δ, and which part of all of them.
    non_finite, bad_weights, empty, malformed: how many survivors count for nothing because of their
        update, their weight, or because they have no examples or malformed ones. failed: metric ->
        how many of the others are not in it.
    rounding: the most by which a coordinate of `total` can be wrong without clipping.
    state: the aggregator's, after this sum. extra: what it reports besides.
    """

    total: Sums
    weight: int
    metrics: Sums
    counted: int
    clipped: int
    clipped_fraction: float
    non_finite: int
    bad_weights: int
    empty: int
    malformed: int
    failed: Mapping[str, int]
    rounding: float
    state: State = ()
    extra: Extra = field(default_factory=Extra)
    measured: bool = True

    @classmethod
    def noisy(
        cls, total: Sums, weight: int, survivors: int, numbers: int, state: State, extra: Extra
    ) -> Totals:
        """A sum with noise, beside which nothing may be known. numbers: of the metrics."""
        return Totals(
            total=total,
            weight=weight,
            metrics=np.full(numbers, np.nan),
            measured=False,
            counted=survivors,
            clipped=0,
            clipped_fraction=0.0,
            non_finite=0,
            bad_weights=0,
            empty=0,
            malformed=0,
            failed={},
            rounding=math.inf,
            state=state,
            extra=extra,
        )

    @property
    def in_sum(self) -> int:
        """How many survivors there are, whether they count for something or not."""
        return self.counted + self.non_finite + self.bad_weights + self.empty + self.malformed

    @property
    def mean(self) -> Sums:
        """float64[d + s], Σ w·(Δ ‖ s) / Σ w; zero where the weights sum to zero."""
        return self.total / self.weight if self.weight else np.zeros_like(self.total)

    @property
    def error_bound(self) -> float | None:
        """The most by which a coordinate of `mean` can be wrong; None where any was clipped, and
        where there is no such bound."""
        if self.clipped or not math.isfinite(self.rounding):
            return None
        return self.rounding / self.weight if self.weight else 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Aggregated(Totals):
    """The totals, who is in them, and what the session cost.

    bytes_up, bytes_down: the protocol's bytes, mean over clients.
    """

    kind: str
    clients: list[int]
    survivors: list[int]
    dropped: list[DroppedClient]
    threshold: int
    bytes_up: int
    bytes_down: int
    seconds: float

    @classmethod
    def of(
        cls,
        totals: Totals,
        *,
        kind: str,
        clients: Iterable[int],
        survivors: Iterable[int],
        threshold: int,
        dropped: Iterable[DroppedClient] = (),
        bytes_up: int = 0,
        bytes_down: int = 0,
        seconds: float = 0.0,
    ) -> Aggregated:
        """What a server read from the sums of a session, with what is known of the session.

        Whoever did not measure the bytes or the seconds leaves them 0.
        """
        return cls(
            **vars(totals),
            kind=kind,
            clients=list(clients),
            survivors=list(survivors),
            dropped=list(dropped),
            threshold=threshold,
            bytes_up=bytes_up,
            bytes_down=bytes_down,
            seconds=seconds,
        )

    def must_hide(self) -> None:
        """Raise TooFewClients where a secure sum is one client's update, as all others count for
        nothing. Under noise it hides that one too, and whether it is alone is not told."""
        if self.kind == "secure" and self.measured and self.counted == 1:
            raise TooFewClients(
                f"one client alone of {self.in_sum} counts for something, expected at least 2: the "
                f"sum is its update. Of the others {self.empty} are without examples, "
                f"{self.malformed} have malformed ones, {self.non_finite} an update that is not "
                f"finite, {self.bad_weights} a weight beyond max_weight"
            )

    def __repr__(self) -> str:
        return (
            f"Aggregated({self.kind}, {self.total.size} coordinates of {len(self.survivors)} of "
            f"{len(self.clients)} clients, {self.counted} counted, clipped={self.clipped})"
        )

    def report(self) -> SumReport:
        """The public part as a plain dict."""
        return {
            "kind": self.kind,
            "clients": self.clients,
            "survivors": self.survivors,
            "dropped": self.dropped,
            "threshold": self.threshold,
            "clipped": self.clipped,
            "clipped_fraction": self.clipped_fraction,
            "error_bound": self.error_bound,
            "bad_weights": self.bad_weights,
            "bytes_up": self.bytes_up,
            "bytes_down": self.bytes_down,
            "without_examples": self.empty,
            "malformed": self.malformed,
            "non_finite": {"update": self.non_finite, **self.failed},
            **self.extra,
        }

    def warn(self) -> None:
        """Warn where a setting made the sum leave out or change something of the clients'."""
        if self.clipped_fraction > CLIPPED:
            warn(
                f"{self.clipped_fraction:.2%} of the coordinates of updates were clipped: the mean "
                "is not theirs. fl.SecureSum(clip=...) has the range; clip=None needs none",
                SumWarning,
            )
        if self.extra.get("wrapped"):
            warn(
                "the sum of the updates did not fit its bits, and the round changes no weight; the "
                "next one goes in 32 bits. fl.aggregators.Rotated(margin=...) has how much longer "
                "than the one before a sum may be",
                SumWarning,
            )
        if self.non_finite:
            warn(
                f"{self.non_finite} clients count for nothing because their update is not finite: "
                "NaN or infinite numbers in their data, or a training that diverges",
                SumWarning,
            )
        if self.bad_weights:
            warn(
                f"{self.bad_weights} clients count for nothing because of their weight, expected a "
                "whole number in 0..max_weight. fl.SecureSum(max_weight=...) has the range",
                SumWarning,
            )
