"""How much noise a budget of privacy asks for in a training, and what of it sampling saves.

    budget, rounds, sampling -> noise multiplier z -> aggregator

The integer mechanisms need their sensitivity for that, which follows from the scale, and with a
number of bits the scale from z. So z is that of the Gaussian first, and then twice that of the
encoding which fits the z before; after that nothing moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from fl.aggregators.central import CentralNoise
from fl.aggregators.clipping import AdaptiveNorm, ByNorm
from fl.aggregators.codings.noisy import DistributedNoise
from fl.aggregators.interface import SumShape
from fl.aggregators.plain import PlainSum
from fl.aggregators.secure import SecureSum
from fl.errors import PrivacyError
from fl.experiment.settings import Settings
from fl.population.sampling import InTurn, Poisson, Sampler, Uniform
from fl.privacy.accounting import noise_multiplier
from fl.privacy.mechanisms import Name
from fl.privacy.release import Release
from fl.privacy.sensitivity import Sensitivity
from fl.privacy.subsampling import hidden_rate

_MORE = 1.001  # of z: cohorts of other sizes have units of another size, which costs a little
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


def multiplier_of(settings: Settings, secure: SecureSum, population: int, size: int) -> float:
    """z for the budget of a training, of updates of this size. Raises PrivacyError."""
    exposure = Exposure.of(settings, population)
    multiplier = _multiplier(settings, exposure, "gaussian", None, 1)
    if not settings.noise_of_clients:
        return multiplier
    n = min(settings.clients_per_round, population)
    for _ in range(3):
        sum_of_all = promised(settings, secure, multiplier, n, size)
        sensitivity = Sensitivity(sum_of_all.l2, sum_of_all.dimension)
        multiplier = _multiplier(
            settings, exposure, sum_of_all.mechanism, sensitivity, sum_of_all.shares
        )
    return multiplier * _MORE


def promised(
    settings: Settings, secure: SecureSum, multiplier: float, n: int, size: int
) -> Release:
    """What a sum of n clients will cost them at the most. Raises FLError."""
    if not settings.noise_of_clients:
        return Release("gaussian", multiplier)
    shape, least = SumShape(n, (size, 0), (), weighted=False), secure.least(n)
    sensitivity = coding_of(settings, multiplier).encoding(shape, (), least).fitted.sensitivity
    mechanism = cast(Name, settings.dp_mechanism)
    return Release(mechanism, multiplier, least.honest, sensitivity.l2, sensitivity.dimension)


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


def _multiplier(
    settings: Settings,
    exposure: Exposure,
    mechanism: Name,
    sensitivity: Sensitivity | None,
    shares: int,
) -> float:
    if settings.dp_epsilon is None:
        raise PrivacyError("no budget of privacy, expected --dp-epsilon")
    return noise_multiplier(
        epsilon=settings.dp_epsilon,
        delta=settings.dp_delta,
        rounds=exposure.rounds,
        clients_per_round=exposure.rate,
        population=1,
        mechanism=mechanism,
        sensitivity=sensitivity,
        shares=shares,
    )
