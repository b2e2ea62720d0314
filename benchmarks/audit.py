"""What attacks measure of ε, beside what is promised: `python -m benchmarks.audit`, half an hour.

Prints a table for docs/privacy.md. The attacks are those of the tests (`tests.helpers.canaries`,
`membership`), with more repeats: a client that gives the longest update there is, or nothing, to
sums of which the attacker knows all else; and a training of a linear model on digits with and
without one client, by who sees every model. All bounds of a row are wrong with probability 2·10^-10
at most (`tests.helpers.audit`). "As of Gaussian noise" is a bound only where the noise is as good
as Gaussian, which that of few bits is not; "any mechanism" holds always.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from sklearn.datasets import load_digits

import fl
from benchmarks.pages import table
from fl.privacy import Release
from tests.helpers import canaries
from tests.helpers.audit import Seen, epsilon_of_mu, least_epsilon, least_mu
from tests.helpers.membership import Membership

DELTA = 1e-5
HEAD = [
    "sum", "z", "rounds", "repeats", "ε promised", "ε measured, any mechanism",
    "ε measured, as of Gaussian noise", "without the noise, any mechanism",
]  # fmt: skip

Both = tuple[Seen, Seen]


@dataclass(frozen=True)
class Row:
    """One attack. release: of one round. seen, silent: T without and with the client, with noise
    as promised, and with none."""

    name: str
    multiplier: float
    rounds: int
    release: Release
    seen: Callable[[], Both]
    silent: Callable[[], Both]

    def cells(self) -> list[str]:
        """What was promised and measured."""
        ledger = fl.privacy.Ledger(delta=DELTA)
        for _ in range(self.rounds):
            ledger.charge(["canary"], self.release)
        deviation = self.multiplier / self.rounds**0.5
        seen, silent = self.seen(), self.silent()
        measured = [
            ledger.epsilon,
            least_epsilon(*seen, deviation, DELTA),
            epsilon_of_mu(least_mu(*seen, deviation), DELTA),
            least_epsilon(*silent, deviation, DELTA),
        ]
        start = [self.name, f"{self.multiplier:g}", f"{self.rounds}", f"{len(seen[0]):,}"]
        return [*start, *(f"{each:.2f}" for each in measured)]


def of_clients(multiplier: float, rounds: int, repeats: int, **settings: Any) -> Row:
    """Sums of one number with noise of the clients."""
    secure = canaries.aggregator(multiplier, **settings)
    liars = (canaries.without_noise,) * canaries.SURVIVORS

    def seen(*lies: canaries.Liar) -> Both:
        without, within = (
            np.mean(
                [canaries.coded_at_once(secure, repeats, present, lies) for _ in range(rounds)],
                axis=0,
            )
            for present in (False, True)
        )
        return without, within

    name = f"{settings['mechanism'].replace('_', ' ')}, {settings.get('bits', 16)} bits"
    release = canaries.release_of(secure)
    return Row(name, multiplier, rounds, release, seen, lambda: seen(*liars))


def of_whole_clients(multiplier: float, repeats: int, mechanism: str) -> Row:
    """Sums of eight numbers, of words that each client makes, one sum after the other."""
    secure, size = canaries.aggregator(multiplier, mechanism=mechanism), 8
    liars = (canaries.without_noise,) * canaries.SURVIVORS

    def seen(*lies: canaries.Liar) -> Both:
        without, within = (
            canaries.coded(secure, size, repeats, present, lies) for present in (False, True)
        )
        return without, within

    name = f"{mechanism.replace('_', ' ')}, 8 numbers, client by client"
    release = canaries.release_of(secure, size)
    return Row(name, multiplier, 1, release, seen, lambda: seen(*liars))


def of_the_server(multiplier: float, repeats: int) -> Row:
    """Sums of one number with noise of the server."""

    def seen(z: float) -> Both:
        clipping = fl.aggregators.ByNorm(fl.SecureSum(), canaries.NORM)
        noisy = fl.aggregators.CentralNoise(clipping, z)
        without, within = (
            canaries.central_at_once(noisy, repeats, present) for present in (False, True)
        )
        return without, within

    release = Release("gaussian", multiplier)
    return Row("server", multiplier, 1, release, lambda: seen(multiplier), lambda: seen(1e-6))


def of_adaptive_clipping(multiplier: float, count_noise: float, repeats: int) -> Row:
    """Update and count of the same sum, each by its part of the noise."""

    def seen(z: float, of_count: float) -> Both:
        of_update = (z**-2 - (2 * of_count) ** -2) ** -0.5
        without, within = (
            z**2 * (update / of_update**2 + count / (2 * of_count) ** 2)
            for update, count in (
                canaries.adaptive(z, of_count, repeats, present) for present in (False, True)
            )
        )
        return without, within

    release = Release("gaussian", multiplier)
    return Row(
        "server, adaptive clipping with its count", multiplier, 1, release,
        lambda: seen(multiplier, count_noise), lambda: seen(1e-3, 1.0),
    )  # fmt: skip


def softmax() -> keras.Model:
    """650 weights."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss, jit_compile=False)
    return model


def of_training(multiplier: float, rounds: int, repeats: int, clients: int = 4) -> Row:
    """Trainings on digits, ten examples a client, with noise of the clients."""
    x, y = load_digits(return_X_y=True)
    data = [
        ((x[10 * u : 10 * u + 10] / 16).astype(np.float32), y[10 * u : 10 * u + 10])
        for u in range(clients)
    ]
    norm = 0.1  # below the length of all updates

    def secure(z: float) -> fl.SecureSum:
        coding = fl.aggregators.DistributedNoise(norm=norm, noise_multiplier=z, bits=20)
        return fl.SecureSum(coding=coding)

    def seen(z: float, times: int) -> Both:
        return Membership(softmax, data, secure(z), norm, rounds).seen(times)

    sizes = canaries.SumShape(clients, (650, 0), (), weighted=False)
    report = (
        secure(multiplier).server_side(sizes).decode({"update": np.zeros(650, np.uint32)}, clients)
    )
    return Row(
        "a training on digits, skellam", multiplier, rounds,
        Release.of(report.extra["noise"], promised=True),
        lambda: seen(multiplier, repeats), lambda: seen(1e-6, repeats),
    )  # fmt: skip


def rows(many: int, few: int, trainings: int) -> Iterator[Row]:
    """All attacks; many, few, trainings: how many repeats those have that cost so much."""
    for mechanism in ("skellam", "discrete_gaussian"):
        for multiplier in (3.0, 1.5, 0.7):
            yield of_clients(multiplier, 1, many, mechanism=mechanism)
        yield of_clients(1.5, 1, many, mechanism=mechanism, bits=6)
        yield of_clients(4.5, 9, many, mechanism=mechanism)
        yield of_whole_clients(1.5, few, mechanism)
    yield of_the_server(1.5, many)
    yield of_adaptive_clipping(1.5, 2.0, few)
    for multiplier in (4.0, 1.0):
        yield of_training(multiplier, 2, trainings)


def main() -> None:
    """Print the table; what is done so far goes to stderr."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--many", type=int, default=500_000, help="repeats of one-number sums")
    parser.add_argument("--few", type=int, default=8000, help="repeats client by client")
    parser.add_argument("--trainings", type=int, default=400, help="with and without, each")
    parser.add_argument("--only", default="", help="sums whose name has this in it")
    given = parser.parse_args()
    done = []
    for row in rows(given.many, given.few, given.trainings):
        if given.only not in row.name:
            continue
        done.append(row.cells())
        print(" | ".join(done[-1]), file=sys.stderr, flush=True)
    print(table(HEAD, done))


if __name__ == "__main__":
    main()
