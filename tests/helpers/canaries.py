"""Noisy sums with and without one client that gives the longest update there is, many times.

The client's update is `norm` long in a direction that the attacker knows; all others give zeros, so
that a decoded sum, seen along that direction, is 0 or 1 and noise: T of `audit`. The attacker sees
sums as the server does. `coded` and `central` make each sum by the aggregator's own two halves;
`coded_at_once` and `central_at_once` make as many sums of one number as a vector has coordinates,
by the same encoding and noise, which is a thousand times as fast; `adaptive` has a count beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

import fl
from fl.aggregators.codings.noisy import NoisyWords
from fl.aggregators.contribution import Contribution
from fl.aggregators.interface import SumShape
from fl.aggregators.plain import add_up
from fl.aggregators.totals import Extra
from fl.privacy import NoisyEncoding, RandomBits, Release, SkellamNoise
from fl.privacy.rotation import Floats
from tests.helpers.audit import Seen

CLIENTS, SURVIVORS = 3, 2  # the third drops out: the sum has just the noise that is promised
NORM = 0.5

Liar = Callable[[NoisyEncoding], NoisyEncoding]


def without_noise(encoding: NoisyEncoding) -> NoisyEncoding:
    """What a client does that leaves its noise out and all else as it is."""
    return replace(encoding, noise=SkellamNoise(1e-30))


def aggregator(multiplier: float, **changes: Any) -> fl.SecureSum:
    """A sum of three clients, one of which may drop out."""
    coding = fl.aggregators.DistributedNoise(norm=NORM, noise_multiplier=multiplier, **changes)
    return fl.SecureSum(coding=coding, threshold=SURVIVORS)


def shape(size: int) -> SumShape:
    """Of a sum of updates."""
    return SumShape(CLIENTS, (size, 0), (), weighted=False)


def encoding_of(secure: fl.SecureSum, size: int) -> NoisyWords:
    """What every client of it does."""
    return cast(NoisyWords, secure.client_side(shape(size)).encoding)


def release_of(secure: fl.SecureSum, size: int = 1) -> Release:
    """What a sum is said to cost."""
    zeros = {"update": np.zeros(size, encoding_of(secure, size).fitted.dtype)}
    totals = secure.server_side(shape(size)).decode(zeros, SURVIVORS)
    return Release.of(totals.extra["noise"])


def coded(
    secure: fl.SecureSum, size: int, repeats: int, present: bool, liars: tuple[Liar, ...] = ()
) -> Seen:
    """T of so many sums, of words that the clients' half makes and the server's half decodes.

    liars: what the last survivors do to their encoding.
    """
    canary = NORM * np.eye(size)[0]
    here = Contribution(canary, 1, np.zeros(0))
    absent = Contribution.left_out((size, 0, 0), malformed=False)
    honest, server = encoding_of(secure, size), secure.server_side(shape(size))
    sides = [honest] * (SURVIVORS - len(liars))
    sides += [replace(honest, fitted=lie(honest.fitted)) for lie in liars]
    rng, seen = np.random.default_rng(0), np.empty(repeats)
    for repeat in range(repeats):
        given = [here if present else absent, *[absent] * (SURVIVORS - 1)]
        words = [side.encode(each, rng)["update"] for side, each in zip(sides, given, strict=True)]
        total = server.decode({"update": sum(words[1:], words[0])}, SURVIVORS).total
        seen[repeat] = total @ canary / NORM**2
    return seen


def coded_at_once(
    secure: fl.SecureSum, repeats: int, present: bool, liars: tuple[Liar, ...] = ()
) -> Seen:
    """As `coded`, of updates of one number."""
    one = encoding_of(secure, 1).fitted
    many = replace(one, rotation=_Unturned(repeats), clip=NORM * repeats**0.5)
    sides = [many] * (SURVIVORS - len(liars)) + [lie(many) for lie in liars]
    source = RandomBits.from_system()
    update = np.full(repeats, NORM if present else 0.0)
    words = sides[0].encode(update, source)
    for side in sides[1:]:
        words = words + side.encode(np.zeros(repeats), source)
    return many.decode(words) / NORM


def central_at_once(noisy: fl.aggregators.CentralNoise, repeats: int, present: bool) -> Seen:
    """T of so many updates of one number, to each of which the server adds its noise."""
    # The exact sum of many clients' only coordinates, and not of one client's many: no norm is
    # checked.
    plain = fl.PlainSum()
    given = Contribution(np.full(repeats, NORM), int(present), np.zeros(0))
    many = SumShape(1, (repeats, 0), (), weighted=False)
    sums = plain.client_side(many).encode(given, np.random.default_rng(0))
    totals = plain.server_side(many).decode(sums, 1)
    totals = replace(totals, extra=Extra(clip_norm=NORM, clip_fraction=0.0))
    return noisy.noisy(totals, NORM).total / NORM


def adaptive(
    multiplier: float, count_noise: float, repeats: int, present: bool, clients: int = 20
) -> tuple[Seen, Seen]:
    """T of so many sums of `CentralNoise` around `AdaptiveNorm`, by the update, and by the count of
    those within the norm, which the canary is not."""
    clipping = fl.aggregators.AdaptiveNorm(fl.PlainSum(), initial=NORM, count_noise=count_noise)
    noisy = fl.aggregators.CentralNoise(clipping, multiplier)
    absent = Contribution.left_out((1, 0, 0), malformed=False)
    here = Contribution(np.array([2 * NORM]), 1, np.zeros(0))
    given = [here if present else absent, *[absent] * (clients - 1)]
    one = replace(shape(1), n=clients)
    client = noisy.client_side(one, noisy.announce(()))
    sums = add_up(client.encode(each, np.random.default_rng(0)) for each in given)
    server = noisy.server_side(one)
    totals = [server.decode(sums, clients) for _ in range(repeats)]
    within = np.array([1 - total.extra["clip_fraction"] for total in totals])
    return np.array([total.total[0] / NORM for total in totals]), clients * (1 - 2 * within)


@dataclass(frozen=True)
class _Unturned:
    """A projection of updates to themselves: each coordinate is a sum of its own."""

    size: int

    @property
    def dimension(self) -> int:
        return self.size

    @property
    def block(self) -> int:
        return 1

    def reach(self, norm: float) -> float:
        return norm

    def forward(self, vector: NDArray[np.floating]) -> Floats:
        return vector.astype(np.float64)

    def inverse(self, mapped: NDArray[np.floating]) -> Floats:
        return mapped.astype(np.float64)
