"""Sessions of federated averaging, and what two attacks rebuild from what a server sees of them.

    what the server sees             with what
    the plain update of a client     no masks
    its masked update                `SecureSum`: the words that the client sent, read as its server
                                     would read a sum
    the mean of n clients            `SecureSum`: what comes out of it
    nothing                          the mean picture of the data set is the guess

Every client has `pictures` pictures and makes its local steps on all of them at once.  A trial
draws other clients and other first weights.  Each attack is run on the activation that suits it.
What is rebuilt is held against the pictures of the first client, the victim, and what is rebuilt
of a sum also against those of everybody in it: a sum may hide one client and show another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fl import seeds
from fl.aggregators.observed import Observed, ObservedSum
from fl.aggregators.secure import SecureSum
from fl.algorithms.fedavg import build_weighted_fed_avg
from fl.data.catalogue import load
from fl.errors import DataError
from fl.leak import attacks
from fl.leak.attacks import Pictures
from fl.leak.network import Activation, Network, Numbers
from fl.whole_numbers import whole

Attack = Literal["first layer", "matching"]
ACTIVATIONS: dict[Attack, Activation] = {"first layer": "relu", "matching": "sigmoid"}
PLAIN, MASKED, NOTHING = "plain update", "masked update", "nothing"

OnAttempt = Callable[[int, int], None]
"""(attempts done, attempts in all)."""


@dataclass(frozen=True)
class Plan:
    """What is tried.

    sums: over how many clients.
    steps: local steps of a client.
    pictures: of a client.

    Raises DataError for numbers that are none of these.
    """

    sums: Sequence[int] = (2, 8, 32)
    steps: Sequence[int] = (1, 5)
    pictures: int = 1
    trials: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("sums", 2), ("steps", 1)):
            object.__setattr__(self, name, _several(name, getattr(self, name), least))
        for name, least in (("pictures", 1), ("trials", 1), ("seed", 0)):
            object.__setattr__(self, name, whole(name, getattr(self, name), least, DataError))

    @property
    def seen(self) -> list[str]:
        """What the server sees, by name, and of a sum whose pictures are looked for."""
        sums = [name for clients in self.sums for name in (sum_of(clients), anybody_in(clients))]
        return [PLAIN, MASKED, *sums]

    @property
    def attempts(self) -> int:
        """How many there are."""
        return self.trials * len(self.steps) * len(ACTIVATIONS) * len(self.seen)


@dataclass(frozen=True)
class Attempt:
    """One attack on one thing that was seen.

    rebuilt: float[pixels].
    truth: the picture that is nearest to it, of those that are looked for.
    """

    seen: str
    attack: Attack
    steps: int
    trial: int
    psnr: float
    rebuilt: Pictures = field(repr=False)
    truth: Numbers = field(repr=False)


@dataclass(frozen=True)
class Images:
    """Grey pictures: x is float32[n, pixels] in [0, 1], of this shape; y is int64[n]."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    shape: tuple[int, int]

    @classmethod
    def of(cls, name: str, data_dir: Path | None) -> Images:
        """The training pictures of a data set. Raises DataError for one of no grey pictures."""
        train, _ = load(name, data_dir)
        if not isinstance(train, tuple) or train[0].ndim not in (2, 3):
            raise DataError(
                f"{name} has no grey pictures in one place, expected digits, mnist or the like"
            )
        x, y = train
        side = round(x[0].size ** 0.5)
        height, width = x.shape[1:] if x.ndim == 3 else (side, side)
        return cls(x.reshape(len(x), -1), y, (height, width))


def shown_psnr(value: float) -> str:
    """For people: 100 dB is a copy."""
    return ">100" if value > 100 else f"{value:.1f}"


def sum_of(clients: int) -> str:
    """The name of a sum."""
    return f"sum of {clients}"


def anybody_in(clients: int) -> str:
    """The name of a sum in which any client's picture counts."""
    return f"{sum_of(clients)}, anybody"


def attempts(plan: Plan, images: Images, on_attempt: OnAttempt) -> Iterator[Attempt]:
    """All attempts, as they are done."""
    done = 0
    on_attempt(done, plan.attempts)
    for trial in range(plan.trials):
        for steps in plan.steps:
            for attack in ACTIVATIONS:
                for attempt in _attempts_on(plan, images, attack, steps, trial):
                    done += 1
                    on_attempt(done, plan.attempts)
                    yield attempt


def blind(plan: Plan, images: Images, clients: int = 1) -> float:
    """The PSNR of the mean picture of the data set, a guess that needs no update; the median.

    clients: of how many the nearest picture counts; 1 is the victim alone.
    """
    mean = images.x.mean(0, dtype=np.float64)
    rows = [_drawn(plan, images, trial)[:clients] for trial in range(plan.trials)]
    return median(attacks.nearest(mean[None], images.x[row.ravel()])[0] for row in rows)


def medians(of: Sequence[Attempt]) -> dict[tuple[str, Attack, int], float]:
    """(seen, attack, steps) -> the median PSNR over the trials."""
    keys = dict.fromkeys((each.seen, each.attack, each.steps) for each in of)
    return {key: median(e.psnr for e in of if (e.seen, e.attack, e.steps) == key) for key in keys}


def _attempts_on(
    plan: Plan, images: Images, attack: Attack, steps: int, trial: int
) -> Iterator[Attempt]:
    """Of one attack in one trial: on one client's updates, and on the sums it is in."""
    classes = int(images.y.max()) + 1
    pixels = images.x.shape[1]
    network = Network(ACTIVATIONS[attack], pixels, classes=classes, seed=plan.seed, trial=trial)
    rows = _drawn(plan, images, trial)
    weights = network_weights(network)

    def candidates(update: Numbers, clients: int) -> Pictures:
        if attack == "first layer":
            return attacks.first_layer(network, update)
        how = {"clients": clients, "pictures": plan.pictures, "steps": steps}
        noise = seeds.generator("leak/noise", plan.seed, trial)
        return attacks.matching(network, weights, update, **how, rng=noise)

    def attempt(seen: str, found: Pictures, whose: NDArray[np.int64]) -> Attempt:
        truths = images.x[whose.ravel()]
        value, rebuilt, which = attacks.nearest(found, truths)
        return Attempt(seen, attack, steps, trial, value, rebuilt, truths[which])

    for clients in plan.sums:
        observed = session(network, images, rows[:clients], steps)
        if clients == plan.sums[0]:
            yield attempt(PLAIN, candidates(observed.true_update, 1), rows[:1])
            yield attempt(MASKED, candidates(as_numbers(observed), 1), rows[:1])
        found = candidates(observed.mean, clients)
        yield attempt(sum_of(clients), found, rows[:1])
        yield attempt(anybody_in(clients), found, rows[:clients])


def session(network: Network, images: Images, rows: NDArray[np.int64], steps: int) -> Observed:
    """One secure round of these clients, and what is seen of the first.

    rows: int64[clients, pictures], of the images.
    """
    pictures = rows.shape[1]
    seen: list[Observed] = []
    process = build_weighted_fed_avg(
        network.model,
        aggregator=ObservedSum(SecureSum(max_weight=pictures), seen.append),
        batch_size=pictures,
        epochs=steps,
        shuffle=False,
    )
    process.next(process.initialize(), [(images.x[row], images.y[row]) for row in rows])
    return seen[0]


def network_weights(network: Network) -> Numbers:
    """The first weights, as a vector."""
    return np.concatenate([np.ravel(part) for part in network.model().get_weights()])


def as_numbers(observed: Observed) -> Numbers:
    """Masked words as numbers around zero, float64[d], as the server reads sums.

    They are made as long as the true update, which no attacker knows and which helps `matching`.
    """
    words, ring = observed.masked.astype(np.float64), 2.0**observed.bits
    centred = np.where(words >= ring / 2, words - ring, words)
    scaled: Numbers = centred * (np.linalg.norm(observed.true_update) / np.linalg.norm(centred))
    return scaled


def _several(name: str, numbers: Sequence[int], least: int) -> tuple[int, ...]:
    several = tuple(whole(f"one of {name}", number, least, DataError) for number in numbers)
    if not several or len(set(several)) < len(several):
        raise DataError(f"{name} is {numbers!r}, expected at least one number, and each once")
    return several


def _drawn(plan: Plan, images: Images, trial: int) -> NDArray[np.int64]:
    """int64[clients, pictures]: each trial's clients have pictures of their own."""
    rng = seeds.generator("leak/clients", plan.seed, trial)
    count = max(plan.sums) * plan.pictures
    if count > len(images.y):
        raise DataError(f"{len(images.y)} pictures, expected {count} for all clients")
    return rng.choice(len(images.y), count, replace=False).reshape(-1, plan.pictures)
