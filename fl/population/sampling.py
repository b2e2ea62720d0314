"""Who takes part in a round: which clients are asked, and which of them drop out when.

    asked  = sampler(eligible clients)         cohort = the first `goal` of them to be ready

Every choice follows from (seed, round) and nothing else, so a resumed run chooses as it would have.
Which clients are eligible is decided before, by their status (`devices`).

>>> sampler = fl.population.Uniform(2)
>>> len(sampler.sample(["a", "b", "c"], fl.population.round_rng(1, 7, "sample")))
2
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from fl import seeds
from fl.errors import AggregationError

PROTOCOL_ROUNDS = 5


Stream = Literal["sample", "dropout", "arrival", "turns"]


def round_rng(seed: int, round_number: int, stream: Stream) -> np.random.Generator:
    """The source of one kind of choice of one round."""
    return seeds.generator(f"round/{stream}", seed, round_number)


class Sampler(Protocol):
    """Anything that chooses clients. `goal` is how many of those asked are waited for."""

    @property
    def goal(self) -> int | None: ...

    def sample(self, clients: Sequence[str], rng: np.random.Generator) -> list[str]: ...


@dataclass(frozen=True)
class Uniform:
    """`count` different clients, every set of them alike; all of them where there are fewer.

    over: how many times `count` are asked. Of those the first `count` to be ready take part, the
    others have worked in vain: 1.3 asks 130 %.
    """

    count: int
    over: float = 1.0

    def __post_init__(self) -> None:
        if self.count < 1 or not self.over >= 1:
            raise AggregationError(
                f"{self.count} clients, asked {self.over} times, expected both at least 1"
            )

    @property
    def goal(self) -> int | None:
        return self.count

    def sample(self, clients: Sequence[str], rng: np.random.Generator) -> list[str]:
        # The rounding takes back what binary fractions add: 1.1 times 10 is 11, not 12.
        asked = math.ceil(min(round(self.over * self.count, 9), len(clients)))
        chosen = rng.permutation(len(clients))[:asked]
        return [clients[i] for i in chosen]


@dataclass(frozen=True)
class Fixed:
    """The same clients in every round, as far as they are eligible."""

    clients: tuple[str, ...]
    goal: int | None = field(default=None, init=False)

    def sample(self, clients: Sequence[str], rng: np.random.Generator) -> list[str]:
        eligible = frozenset(clients)
        return [client for client in self.clients if client in eligible]


@dataclass(frozen=True)
class Poisson:
    """Each client with the same probability, independent of all others."""

    rate: float
    goal: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise AggregationError(f"rate is {self.rate}, expected above 0 and at most 1")

    def sample(self, clients: Sequence[str], rng: np.random.Generator) -> list[str]:
        drawn = rng.random(len(clients)) < self.rate
        return [client for client, chosen in zip(clients, drawn, strict=True) if chosen]


@dataclass(frozen=True)
class InTurn:
    """`count` clients a round, in passes in which nobody's turn comes twice.

    A pass is as many rounds as there are whole cohorts of clients, in a random order of its own, so
    that in R rounds nobody is asked more than ⌈R / rounds of a pass⌉ times: what a client spends of
    its privacy is known beforehand (`fl.privacy`). In a pass everybody's turn comes, but for the
    last in its order where `count` does not divide the number of clients. Who is not eligible when
    its turn comes, misses it.

    >>> turns = fl.population.InTurn(2)
    >>> clients = ["a", "b", "c", "d"]
    >>> sorted(u for round in (0, 1) for u in turns.of_round(clients, 7, round).clients)
    ['a', 'b', 'c', 'd']
    """

    count: int
    goal: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.count < 1:
            raise AggregationError(f"{self.count} clients, expected at least 1")

    def rounds_of_a_pass(self, clients: int) -> int:
        """How many rounds a pass has."""
        return max(clients // self.count, 1)

    def of_round(self, clients: Sequence[str], seed: int, round_number: int) -> Fixed:
        """Whose turn it is, of all clients."""
        turn, place = divmod(round_number, self.rounds_of_a_pass(len(clients)))
        order = round_rng(seed, turn, "turns").permutation(len(clients))
        chosen = order[place * self.count : (place + 1) * self.count]
        return Fixed(tuple(clients[i] for i in chosen))

    def sample(self, clients: Sequence[str], rng: np.random.Generator) -> list[str]:
        """Of one round alone: any of them. Whose turn it is says `of_round`."""
        return Uniform(self.count).sample(clients, rng)


@dataclass(frozen=True)
class Dropout:
    """Which clients are gone from which round of the protocol on.

    per_round: for each of the five rounds, the probability that a client which has come so far is
        gone from that round on.
    clients: the same for single clients, in place of `per_round`.
    """

    per_round: tuple[float, ...] = (0.0,) * PROTOCOL_ROUNDS
    clients: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for chances in (self.per_round, *self.clients.values()):
            if len(chances) != PROTOCOL_ROUNDS or not all(0 <= p <= 1 for p in chances):
                raise AggregationError(
                    f"dropout {chances}, expected {PROTOCOL_ROUNDS} numbers from 0 to 1"
                )

    @classmethod
    def in_session(cls, probability: float) -> Dropout:
        """A client is gone somewhere in the session with this probability, in any round alike."""
        if not 0 <= probability <= 1:
            raise AggregationError(f"dropout is {probability}, expected a number from 0 to 1")
        # The same risk in each round to those still there: the five together make `probability`.
        return cls((1 - (1 - probability) ** (1 / PROTOCOL_ROUNDS),) * PROTOCOL_ROUNDS)

    def draw(self, cohort: Sequence[str], rng: np.random.Generator) -> dict[int, int]:
        """Position in the cohort -> the protocol round from which that client is gone."""
        drops = {}
        for position, client in enumerate(cohort):
            chances = self.clients.get(client, self.per_round)
            gone = np.flatnonzero(rng.random(PROTOCOL_ROUNDS) < chances)
            if gone.size:
                drops[position] = int(gone[0])
        return drops
