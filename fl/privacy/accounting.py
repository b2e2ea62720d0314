"""What a training costs in privacy, and how much noise a budget asks for: ε, δ, and z.

    noise multiplier z = (standard deviation of the noise of a sum) / (L2 sensitivity of the sum)

`dp-accounting` (the extra `privacy`) composes the rounds and turns them into (ε, δ), and has the
Gaussian mechanism with Poisson sampling; that of the integer mechanisms is `subsampling`.

`clients_per_round / population` is the probability q with which a client is in a round. Where the
promise is made against somebody who sees who takes part, as the server of a secure sum does,
nothing is gained by sampling: give clients_per_round = population, and for `rounds` the number of
rounds that one client takes part in at most.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from fl.errors import PrivacyError
from fl.privacy.mechanisms import Name, mechanism_of
from fl.privacy.release import Release, composed
from fl.privacy.sensitivity import Sensitivity

_LEAST, _MOST = 0.01, 1e6  # noise multipliers that are looked at
_STEPS = 32  # halvings of a factor of 2: what is left is less than 1e-9


def epsilon(
    *,
    noise_multiplier: float,
    delta: float,
    rounds: int,
    clients_per_round: float,
    population: int,
    mechanism: Name = "gaussian",
    sensitivity: Sensitivity | None = None,
    shares: int | None = None,
) -> float:
    """ε such that `rounds` sums with this noise are (ε, δ)-private for each client.

    Args:
        noise_multiplier: z of a whole sum, of all its shares.
        delta: δ, above 0 and below 1.
        rounds: how many sums.
        clients_per_round: how many clients are drawn on average, each on its own.
        population: how many there are to draw from.
        mechanism: of which noise.
        sensitivity: of the integer vectors, for the integer mechanisms
            (`NoisyEncoding.sensitivity`).
        shares: of how many clients' noise a sum has at least, for "discrete_gaussian"; the default
            is clients_per_round, rounded down.

    Raises:
        PrivacyError: for numbers out of range, or without `dp-accounting`.
    """
    spent = _spending(delta, rounds, clients_per_round, population)
    return spent(mechanism, noise_multiplier, sensitivity, _shares(shares, clients_per_round))


def noise_multiplier(
    *,
    epsilon: float,
    delta: float,
    rounds: int,
    clients_per_round: float,
    population: int,
    mechanism: Name = "gaussian",
    sensitivity: Sensitivity | None = None,
    shares: int | None = None,
) -> float:
    """The least z, to 9 digits and rounded up, with which `epsilon(...)` is at most ε.

    Arguments are those of `epsilon`. The sensitivity of integers follows from the scale, and with
    a fixed number of bits the scale from z: start from z of the Gaussian, and go on with that
    of the encoding that was fitted. Raises PrivacyError too where no z up to 10^6 will do.
    """
    if not 0 < epsilon < math.inf:
        raise PrivacyError(f"epsilon is {epsilon}, expected a finite number above 0")
    spent = _spending(delta, rounds, clients_per_round, population)
    of_shares = _shares(shares, clients_per_round)

    def enough(multiplier: float) -> bool:
        return spent(mechanism, multiplier, sensitivity, of_shares) <= epsilon

    high = _enough_to_two(enough)
    low = high / 2
    for _ in range(_STEPS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _enough_to_two(enough: Callable[[float], bool]) -> float:
    """A noise multiplier that is enough, and half of it not. Raises PrivacyError."""
    multiplier = 1.0
    while not enough(multiplier):
        multiplier *= 2
        if multiplier > _MOST:
            raise PrivacyError(
                f"no noise multiplier up to {_MOST:.0e} is enough, expected a larger epsilon or "
                "delta, or fewer rounds"
            )
    while multiplier > _LEAST and enough(multiplier / 2):
        multiplier /= 2
    return multiplier


_Spending = Callable[[Name, float, "Sensitivity | None", int], float]


def _spending(delta: float, rounds: int, clients_per_round: float, population: int) -> _Spending:
    """What a mechanism, a noise multiplier, a sensitivity and shares cost. Raises PrivacyError."""
    check_delta(delta)
    if rounds < 1:
        raise PrivacyError(f"{rounds} rounds, expected at least 1")
    if not 0 < clients_per_round <= population:
        raise PrivacyError(
            f"{clients_per_round} clients per round of {population}, expected more than 0 and at "
            "most all of them"
        )
    rate = clients_per_round / population

    def spent(name: Name, multiplier: float, sensitivity: Sensitivity | None, shares: int) -> float:
        mechanism_of(name, multiplier, sensitivity, shares)
        l2, dimension = (sensitivity.l2, sensitivity.dimension) if sensitivity else (1.0, 1)
        release = Release(name, multiplier, shares, l2, dimension)
        return composed({release: rounds}, rate, delta)

    return spent


def check_delta(delta: float) -> None:
    """Raise PrivacyError for what is no δ."""
    if not 0 < delta < 1:
        raise PrivacyError(f"delta is {delta}, expected a number above 0 and below 1")


def _shares(shares: int | None, clients_per_round: float) -> int:
    return math.floor(clients_per_round) if shares is None else shares
