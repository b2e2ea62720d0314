"""How much noise a budget of privacy asks for, and what a sum promises before it is summed.

    ε, δ, rounds -> z -> aggregator -> promised, charged to a `fl.privacy.Ledger`

The integer mechanisms need their sensitivity for that, which follows from the scale, and with a
number of bits the scale from z. So z is that of the Gaussian first, and then twice that of the
encoding which fits the z before; after that nothing moves.
"""

from __future__ import annotations

from collections.abc import Callable

from fl.aggregators.central import CentralNoise
from fl.aggregators.codings.noisy import DistributedNoise
from fl.aggregators.interface import Aggregator, SumShape
from fl.aggregators.secure import SecureSum
from fl.errors import AggregationError
from fl.privacy.accounting import noise_multiplier
from fl.privacy.release import Release
from fl.privacy.sensitivity import Sensitivity

_MORE = 1.001  # of z: cohorts of other sizes have units of another size, which costs a little
_FITS = 3


def noise_for_budget(
    sum_of: Callable[[float], Aggregator],
    *,
    epsilon: float,
    delta: float,
    rounds: int,
    clients: int,
    size: int,
    rate: float = 1.0,
) -> float:
    """The noise multiplier z with which a training keeps to (ε, δ), for each of its clients.

    sum_of: the aggregator with a noise multiplier: a `SecureSum` with `DistributedNoise`, or
        `CentralNoise`.
    rounds: in how many of the training's rounds one client is, at the most.
    clients: how many a round has.
    size: how many numbers an update has, the trained weights.
    rate: below 1 only as `fl.privacy.hidden_rate` says, and for `CentralNoise`.

    Raises AggregationError for a sum without noise, or with a rate below 1 and noise of the
    clients, PrivacyError for numbers out of range, where no z up to 10^6 or no scale will do, and
    without `dp-accounting`.

    >>> def secure(z):
    ...     noise = fl.aggregators.DistributedNoise(norm=0.5, noise_multiplier=z, bits=16)
    ...     return fl.SecureSum(threshold=0.9, corrupt=0, coding=noise)
    >>> z = fl.aggregators.noise_for_budget(
    ...     secure, epsilon=8.0, delta=1e-3, rounds=3, clients=20, size=650
    ... )
    >>> ledger = fl.privacy.Ledger(delta=1e-3, budget=8.0)
    >>> release = fl.aggregators.promised(secure(z), clients=20, size=650)
    >>> for _ in range(3):
    ...     ledger.charge(["ann"], release)
    >>> 7.9 < ledger.epsilon <= 8, ledger.allows(["ann"], release), ledger.allows(["bob"], release)
    (True, False, True)
    """

    def multiplier(release: Release) -> float:
        return noise_multiplier(
            epsilon=epsilon,
            delta=delta,
            rounds=rounds,
            clients_per_round=rate,
            population=1,
            mechanism=release.mechanism,
            sensitivity=Sensitivity(release.l2, release.dimension),
            shares=release.shares,
        )

    z = multiplier(Release("gaussian", 1.0))
    if promised(sum_of(z), clients=clients, size=size).mechanism == "gaussian":
        return z
    if rate < 1:
        raise AggregationError(
            f"a rate of {rate} with noise of the clients, expected 1: its sum tells how many are "
            "in it"
        )
    for _ in range(_FITS):
        z = multiplier(promised(sum_of(z), clients=clients, size=size))
    return z * _MORE


def promised(aggregator: Aggregator, *, clients: int, size: int) -> Release:
    """What a sum of so many clients' updates will cost each of them at the most, for a ledger to be
    asked before the round; `fl.privacy.Release.of` a round's report is what it did cost.

    size: of an update.

    Raises AggregationError for a sum without noise, and what the sum raises.

    >>> central = fl.aggregators.CentralNoise(fl.aggregators.ByNorm(fl.SecureSum(), 0.5), 2.0)
    >>> fl.aggregators.promised(central, clients=20, size=650)
    Release(mechanism='gaussian', noise_multiplier=2.0, shares=1, l2=1.0, dimension=1)
    """
    match aggregator:
        case CentralNoise(noise_multiplier=multiplier):
            return Release("gaussian", multiplier)
        case SecureSum(coding=DistributedNoise() as coding):
            shape = SumShape(clients, (size, 0), (), weighted=False)
            least = aggregator.least(clients)
            moves = coding.encoding(shape, (), least).fitted.sensitivity
            of_all = coding.mechanism, coding.noise_multiplier, least.honest
            return Release(*of_all, moves.l2, moves.dimension)
    raise AggregationError(
        f"{aggregator!r} adds no noise, expected fl.aggregators.CentralNoise, or a fl.SecureSum "
        "with fl.aggregators.DistributedNoise as its coding"
    )
