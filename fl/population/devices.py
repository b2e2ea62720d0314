"""A fleet of devices, simulated: who charges, is on an unmetered network, is idle, and how fast.

    P(charging at local hour h) = 0.5 + 0.45 cos(2π (h - 3) / 24)      most at 3 in the morning

A condition is a plain function of a `Status`; a client takes part where all of them hold. The
status of a device is constant for an hour and follows from (seed, hour) alone.

>>> fleet = fl.population.Fleet({"a": 50, "b": 200}, seed=1)
>>> fleet, sorted(fleet.statuses(7))
(Fleet(2 devices, rounds_per_hour=10), ['a', 'b'])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fl import seeds
from fl.errors import AggregationError, TooFewClients
from fl.population.sampling import InTurn, Sampler, round_rng


@dataclass(frozen=True)
class Status:
    """What a device tells about itself before it takes part.

    examples: how many it holds.
    """

    charging: bool = True
    unmetered: bool = True
    idle: bool = True
    examples: int = field(default=0, repr=False)


Condition = Callable[[Status], bool]


def charging(status: Status) -> bool:
    """The device is on a charger."""
    return status.charging


def unmetered(status: Status) -> bool:
    """The device is on a network that costs its owner nothing."""
    return status.unmetered


def idle(status: Status) -> bool:
    """Nobody is using the device."""
    return status.idle


def at_least(examples: int) -> Condition:
    """The device holds that many examples."""
    return lambda status: status.examples >= examples


CONDITIONS: Mapping[str, Condition] = {"charging": charging, "unmetered": unmetered, "idle": idle}


def check_conditions(names: Sequence[str]) -> Sequence[str]:
    """The names. Raises AggregationError unless each is one of CONDITIONS."""
    unknown = [name for name in names if name not in CONDITIONS]
    if unknown:
        raise AggregationError(
            f"unknown condition {unknown[0]!r}, expected one of {', '.join(CONDITIONS)}"
        )
    return names


class Fleet:
    """One device a client.

    examples: client -> how many examples it holds.
    rounds_per_hour: how the time passes.

    Each device has a time zone of its own, and a speed that is log-normal over the fleet.
    """

    def __init__(
        self, examples: Mapping[str, int], *, seed: int = 0, rounds_per_hour: float = 10
    ) -> None:
        if not rounds_per_hour > 0:
            raise AggregationError(f"{rounds_per_hour} rounds per hour, expected more than 0")
        self._examples = dict(examples)
        self._seed = seed
        self._rounds_per_hour = rounds_per_hour
        rng = seeds.generator("fleet", seed)
        self._zone = rng.uniform(0, 24, len(examples))
        self._seconds = dict(zip(examples, rng.lognormal(-6, 0.5, len(examples)), strict=True))

    def __repr__(self) -> str:
        return f"Fleet({len(self._zone)} devices, rounds_per_hour={self._rounds_per_hour})"

    def statuses(self, round_number: int) -> dict[str, Status]:
        """Every client's status in a round."""
        hour = int(round_number / self._rounds_per_hour)
        night = np.cos(2 * np.pi * (hour + self._zone - 3) / 24)
        rng = seeds.generator("fleet/hour", self._seed, hour)
        drawn = rng.random((3, len(night))) < _chances(night)
        return {
            client: Status(bool(c), bool(u), bool(i), count)
            for (client, count), c, u, i in zip(self._examples.items(), *drawn, strict=True)
        }

    def seconds(self, client: str, rng: np.random.Generator) -> float:
        """How long one device takes to be ready this time."""
        return float(self._seconds[client] * self._examples[client] * rng.lognormal(0, 0.2))


@dataclass(frozen=True)
class Selection:
    """How a round's cohort came about. Its order is the order in which the devices were ready."""

    cohort: tuple[str, ...]
    asked: int
    eligible: int


def select(
    fleet: Fleet, conditions: Sequence[Condition], sampler: Sampler, seed: int, round_number: int
) -> Selection:
    """The cohort of a round. Raises TooFewClients where no client is eligible or asked."""
    statuses = fleet.statuses(round_number)
    eligible = [u for u, status in statuses.items() if all(holds(status) for holds in conditions)]
    if isinstance(sampler, InTurn):
        sampler = sampler.of_round(list(statuses), seed, round_number)
    asked = sampler.sample(eligible, round_rng(seed, round_number, "sample"))
    if not asked:
        raise TooFewClients(
            f"nobody takes part, expected somebody: {len(eligible)} of {len(statuses)} are eligible"
        )
    rng = round_rng(seed, round_number, "arrival")
    ready = {client: fleet.seconds(client, rng) for client in asked}
    cohort = sorted(asked, key=ready.__getitem__)[: sampler.goal]
    return Selection(tuple(cohort), len(asked), len(eligible))


def _chances(night: NDArray[np.float64]) -> NDArray[np.float64]:
    """The chances to be charging, unmetered and idle; `night` is 1 at three and -1 at fifteen."""
    return np.stack([0.5 + 0.45 * night, 0.6 + 0.35 * night, 0.5 + 0.45 * night])
