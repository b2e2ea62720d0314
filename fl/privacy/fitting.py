"""The finest encoding that fits words of so many bits, for a noise multiplier.

Noise is in proportion to the sensitivity, and this to the scale: a larger scale loses less to
rounding and takes more bits. The scale is the largest with which a sum of all clients wraps with at
most the probability that is allowed. It follows from what everybody knows, so that all clients and
the server find the same one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, Protocol

from fl.errors import PrivacyError
from fl.privacy.discrete_gaussian import DiscreteGaussianNoise
from fl.privacy.encoding import NoisyEncoding
from fl.privacy.kept import Projection
from fl.privacy.noise import Noise, share_variance
from fl.privacy.rounding import ConditionalRounding
from fl.privacy.skellam import SkellamNoise

Integral = Literal["discrete_gaussian", "skellam"]


class _OfVariance(Protocol):
    def __call__(self, variance: float) -> Noise: ...


NOISES: Mapping[Integral, _OfVariance] = {
    "discrete_gaussian": DiscreteGaussianNoise,
    "skellam": SkellamNoise,
}

_STEPS = 40


def fitted_encoding(
    rotation: Projection,
    *,
    clip: float,
    bits: int,
    clients: int,
    noise_multiplier: float,
    mechanism: Integral = "skellam",
    missing: int = 0,
    wraps: float = 2.0**-20,
    alignment: float = 1.0,
) -> NoisyEncoding:
    """An encoding whose sum of `clients` updates has noise of z times the sensitivity, or more.

    noise_multiplier: z, of `fl.privacy.noise_multiplier`.
    missing: clients whose noise may not be in the sum.
    wraps: the probability, at most, that a sum wraps, of updates that together are at most
        alignment · clients · clip long.

    Raises PrivacyError where no scale fits the bits, and for numbers out of range.

    >>> from fl.privacy import Rotation, fitted_encoding
    >>> encoding = fitted_encoding(
    ...     Rotation(1000, b"round 7"), clip=1.0, bits=16, clients=100, noise_multiplier=1.0
    ... )
    >>> encoding.scale > 100, encoding.wrap_bound(100) < 2**-20
    (True, True)
    """
    if mechanism not in NOISES:
        raise PrivacyError(f"mechanism {mechanism!r}, expected one of {', '.join(NOISES)}")
    if not noise_multiplier > 0:
        raise PrivacyError(f"a noise multiplier of {noise_multiplier}, expected one above 0")

    if not 0 < clip < math.inf:
        raise PrivacyError(f"clip is {clip}, expected a finite number above 0")
    part = share_variance(1.0, clients, missing)

    def encoding(scale: float, beta: float) -> NoisyEncoding:
        length = rotation.reach(clip) * scale
        l2 = ConditionalRounding(length, rotation.dimension, beta).sensitivity.l2
        noise = NOISES[mechanism](part * (noise_multiplier * l2) ** 2)
        return NoisyEncoding(rotation, clip, scale, bits, noise, beta)

    def fits(scale: float, beta: float) -> bool:
        try:
            return encoding(scale, beta).wrap_bound(clients, alignment) <= wraps
        except PrivacyError:
            return False  # a length or a variance beyond what can be sampled

    def finest(beta: float) -> NoisyEncoding | None:
        least, most = 1 / clip, 2.0**bits / clip
        if not fits(least, beta):
            return None
        for _ in range(_STEPS):
            middle = (least * most) ** 0.5
            least, most = (middle, most) if fits(middle, beta) else (least, middle)
        return encoding(least, beta)

    # The usual condition needs the least noise, and a rare one the least room for the rounding.
    found = [each for beta in (ConditionalRounding.beta, 1 / clients) if (each := finest(beta))]
    if not found:
        raise PrivacyError(
            f"{bits} bits are too few for {clients} clients and {rotation.dimension} coordinates, "
            "expected more bits, or fewer coordinates"
        )
    return min(found, key=lambda each: each.error_variance(clients))
