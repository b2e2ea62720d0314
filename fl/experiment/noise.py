"""How much noise a budget of privacy asks for in a training, and what of it sampling saves.

    settings: budget, rounds, sampling -> noise multiplier z -> aggregator

The search for z is `fl.aggregators.noise_for_budget`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from fl.aggregators.budget import noise_for_budget
from fl.aggregators.central import CentralNoise
from fl.aggregators.clipping import AdaptiveNorm, ByNorm
from fl.aggregators.codings.noisy import DistributedNoise
from fl.aggregators.interface import Aggregator
from fl.aggregators.plain import PlainSum
from fl.aggregators.secure import SecureSum
from fl.errors import PrivacyError
from fl.experiment.settings import Settings
from fl.population.sampling import InTurn, Poisson, Sampler, Uniform
from fl.privacy.subsampling import hidden_rate

_COUNTED = 20  # clients of a cohort for one deviation of the count: Andrew et al. 2021


def sampler_of(settings: Settings, population: int) -> Sampler:
    """Who is asked in a round."""
    count = settings.clients_per_round
    if settings.sampling == "in-turn":
        return InTurn(count)
    if settings.sampling == "poisson":
        return Poisson(min(count / population, 1.0))
    return Uniform(count, settings.over_selection)


def rate_of(settings: Settings, population: int) -> float:
    """q of `hidden_rate` for the server's noise, and 1.0 for that of the clients.

    A sum is not to tell how many are in it. With noise of the clients its unit follows from their
    number, and so does its noise where they provide for each other's absence.
    """
    if settings.noise_of_clients:
        return 1.0
    return hidden_rate(sampler_of(settings, population))


@dataclass(frozen=True)
class Exposure:
    """How often a client is in a sum, as accounts may count it.

    rounds: in how many, at the most. rate: with which probability in each of these; below 1 only
    where the coins are secret.
    """

    rounds: int
    rate: float

    @classmethod
    def of(cls, settings: Settings, population: int) -> Exposure:
        """In the rounds of a training."""
        sampler, rounds = sampler_of(settings, population), settings.rounds
        if isinstance(sampler, InTurn):
            return cls(math.ceil(rounds / sampler.rounds_of_a_pass(population)), 1.0)
        return cls(rounds, rate_of(settings, population))


def multiplier_of(
    settings: Settings, sum_of: Callable[[float], Aggregator], population: int, size: int
) -> float:
    """z for the budget of a training, of updates of this size. Raises FLError.

    sum_of: the sum with a noise multiplier.
    """
    if settings.dp_epsilon is None:
        raise PrivacyError("no budget of privacy, expected --dp-epsilon")
    exposure = Exposure.of(settings, population)
    return noise_for_budget(
        sum_of,
        epsilon=settings.dp_epsilon,
        delta=settings.dp_delta,
        rounds=exposure.rounds,
        clients=min(settings.clients_per_round, population),
        size=size,
        rate=exposure.rate,
    )


def coding_of(settings: Settings, multiplier: float) -> DistributedNoise:
    """The noise of the clients. Raises FLError."""
    return DistributedNoise(
        norm=_norm(settings),
        noise_multiplier=multiplier,
        bits=settings.bits,
        mechanism="skellam" if settings.dp_mechanism == "skellam" else "discrete_gaussian",
        keep=settings.keep_coordinates,
        alignment=settings.dp_alignment,
        divisor=_divisor(settings),
    )


def central(settings: Settings, multiplier: float, summed: PlainSum | SecureSum) -> CentralNoise:
    """The noise of the server, on a sum. Raises FLError."""
    norm, quantile = _norm(settings), settings.clip_quantile
    # Of few clients the count would have less noise than all of a round needs: then three quarters
    # of what z allows are left for the update.
    count_noise = max(settings.clients_per_round / _COUNTED, multiplier)
    clipped: ByNorm | AdaptiveNorm = ByNorm(summed, norm)
    if quantile is not None:
        clipped = AdaptiveNorm(summed, quantile, norm, count_noise=count_noise)
    return CentralNoise(clipped, multiplier, _divisor(settings))


def _divisor(settings: Settings) -> int | None:
    """Where the number of clients is secret, that which is expected."""
    return settings.clients_per_round if settings.sampling == "poisson" else None


def _norm(settings: Settings) -> float:
    if settings.clip_norm is None:
        raise PrivacyError("noise without --clip-norm, expected the largest norm")
    return settings.clip_norm
