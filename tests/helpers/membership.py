"""Whether a client was in a training, guessed by who knows all but that, many times.

The attacker sees the model after every round, knows every client's data and the settings, and so,
at the weights of each round, the sum of the others' updates and the update u that the client would
give. With N for the noise of a round,

    n·(change of the weights) − Σ others = [in it]·u + N
    T = Σ ⟨left side, u⟩ / Σ ‖u‖²,   sums over rounds

T is 0 or 1 and noise, of deviation z·C / √Σ‖u‖², at least z / √rounds: this is T of `audit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

import fl
from tests.helpers.audit import Seen

_Known = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Membership:
    """An attack on trainings with this sum; clients: the data of all, of which the first may be in
    it or not."""

    model_fn: Callable[[], keras.Model]
    clients: Sequence[Any]
    secure: fl.aggregators.Aggregator
    norm: float
    rounds: int

    def seen(self, repeats: int) -> tuple[Seen, Seen]:
        """T of so many trainings without the client, and of so many with it."""
        training = self._process(self.secure)
        exact = self._process(fl.aggregators.ByNorm(fl.PlainSum(), self.norm))
        (x, y), *others = self.clients
        first = self._known(exact, training.initialize())
        without, within = (
            np.array([self._once(training, exact, given, first) for _ in range(repeats)])
            for given in ([(x[:0], y[:0]), *others], self.clients)
        )
        return without, within

    def _once(self, training: Any, exact: Any, given: Sequence[Any], first: _Known) -> float:
        state, (others, update), seen, length = training.initialize(), first, 0.0, 0.0
        for number in range(self.rounds):
            if number:
                others, update = self._known(exact, state)
            after = training.next(state, given).state
            change = after.weights.to_vector() - state.weights.to_vector()
            seen += (change * len(given) - others) @ update
            length += update @ update
            state = after
        return float(seen / length)

    def _known(self, exact: Any, state: Any) -> _Known:
        """The sum of the others' updates at these weights, and the client's."""
        first, *others = self.clients
        return self._change(exact, state, others) * len(others), self._change(exact, state, [first])

    def _process(self, aggregator: fl.aggregators.Aggregator) -> Any:
        return fl.build_unweighted_fed_avg(
            self.model_fn, aggregator=aggregator, batch_size=10**6, shuffle=False
        )

    @staticmethod
    def _change(exact: Any, state: Any, clients: Sequence[Any]) -> NDArray[np.float64]:
        """What a round without noise would change."""
        before = exact.initialize(state.weights)
        after = exact.next(before, clients).state.weights.to_vector()
        change: NDArray[np.float64] = (after - before.weights.to_vector()).astype(np.float64)
        return change
