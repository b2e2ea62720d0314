"""The demonstration: secure and plain federated averaging of digits, side by side.

Ten clients with unlike data (Dirichlet 0.5), a network of 64-64-10, and every round some clients
that are gone from a random round of the protocol. The plain side starts from the same state, has
the same seeds and the same survivors. It computes; what it looks like is in `demo_render`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from fl import seeds
from fl.aggregators.interface import Aggregator
from fl.aggregators.observed import Observed, ObservedSum
from fl.aggregators.plain import PlainSum
from fl.aggregators.secure import Progress, SecureSum
from fl.aggregators.totals import SumReport
from fl.algorithms.fedavg import build_weighted_fed_avg
from fl.cli.demo_settings import Settings
from fl.data import digits, partition
from fl.evaluation.fed_eval import FedEval, build_fed_eval
from fl.population.watched_data import OnClient, WatchedData
from fl.process.federated_process import FederatedProcess
from fl.process.reports import MetricValues, RoundMetrics
from fl.process.server_optimizer import ServerState

SERVER_LEARNING_RATE = 1.0


@dataclass(frozen=True)
class Row:
    """One round: the metrics of both sides, and of their weights on the test examples.

    metrics, test: of the secure side.
    """

    metrics: RoundMetrics
    plain_metrics: RoundMetrics
    test: MetricValues
    plain_test: MetricValues

    @property
    def secure_accuracy(self) -> float:
        """On the test examples."""
        return float(self.test["accuracy"])

    @property
    def plain_accuracy(self) -> float:
        """On the test examples."""
        return float(self.plain_test["accuracy"])


@dataclass
class Comparison:
    """What the two sides come to; filled in as the rounds go by.

    bound: the most by which a weight can differ after round 1: the error bound of the mean times
        the server's learning rate, plus the float32 rounding of both sides; None if any
        coordinate was clipped. observed: one client's update in round 1, and what it sent.
    """

    rounds: int = 0
    secure_accuracy: float = 0.0
    plain_accuracy: float = 0.0
    first_difference: float = 0.0
    final_difference: float = 0.0
    bound: float | None = None
    observed: Observed | None = None

    def as_json(self) -> dict[str, object]:
        """The promised machine-readable result."""
        accuracy = {"secure": self.secure_accuracy, "plain": self.plain_accuracy}
        difference = {"round_1": self.first_difference, "final": self.final_difference}
        return {
            "test_accuracy": accuracy,
            "max_weight_difference": difference,
            "bound": self.bound,
            "rounds": self.rounds,
        }


class Demo:
    """Iterate over it for the rounds; `comparison` is complete after the last.

    on_client, progress: as in `WatchedData` and `SecureSum`, for both sides and for the secure one.
    """

    def __init__(
        self,
        settings: Settings,
        on_client: OnClient = lambda done, total: None,
        progress: Progress | None = None,
    ) -> None:
        self._settings = settings
        self._on_client = on_client
        self.comparison = Comparison()
        train, self._test = digits.load(settings.seed)
        self._clients = _split(train, settings)
        self._drops = list(_dropouts(settings))
        watched = ObservedSum(SecureSum(progress=progress), self._keep)
        self._secure, self._plain = (
            _process(settings.seed, aggregator) for aggregator in (watched, PlainSum())
        )
        self._evaluate = _evaluation(settings.seed)

    def __iter__(self) -> Iterator[Row]:
        secure = plain = start = self._secure.initialize()
        for dropouts in self._drops:
            secure, metrics = self._secure.next(secure, self._data(), dropouts=dropouts)
            plain, plain_metrics = self._plain.next(plain, self._data(), dropouts=dropouts)
            row = Row(metrics, plain_metrics, self._test_of(secure), self._test_of(plain))
            self._compare(start, secure, plain, row)
            yield row

    def _data(self) -> WatchedData[int, digits.Split]:
        clients = range(len(self._clients))
        return WatchedData(self._clients.__getitem__, clients, self._on_client)

    def _test_of(self, state: ServerState) -> MetricValues:
        return self._evaluate(state.weights, [self._test])["client_work"]["eval"]

    def _compare(
        self, start: ServerState, secure: ServerState, plain: ServerState, row: Row
    ) -> None:
        seen = self.comparison
        seen.rounds = secure.round
        seen.secure_accuracy, seen.plain_accuracy = row.secure_accuracy, row.plain_accuracy
        seen.final_difference = largest_difference(secure, plain)
        if secure.round == 1:
            seen.first_difference = seen.final_difference
            seen.bound = first_round_bound(start, plain, row.metrics["aggregator"])

    def _keep(self, observed: Observed) -> None:
        self.comparison.observed = observed


def largest_difference(one: ServerState, other: ServerState) -> float:
    """The largest absolute difference of two states' weights."""
    return float(np.abs(_exact(one) - _exact(other)).max())


def first_round_bound(start: ServerState, plain: ServerState, report: SumReport) -> float | None:
    """How far a weight of the secure side can be from the plain one after one round.

    The means differ by at most `error_bound`. Each side then rounds its mean to float32, and again
    the new weight: half a unit in the last place each, so one unit for both sides together.
    """
    error_bound = report["error_bound"]
    if error_bound is None:  # a coordinate was clipped
        return None
    quantisation = SERVER_LEARNING_RATE * error_bound
    largest_mean = np.abs(_exact(plain) - _exact(start)).max() + quantisation
    largest_weight = np.abs(_exact(plain)).max() + quantisation
    rounding = np.spacing(np.float32(largest_mean)) + np.spacing(np.float32(largest_weight))
    return float(quantisation + rounding)


def _exact(state: ServerState) -> NDArray[np.float64]:
    return state.weights.to_vector().astype(np.float64)


def _split(train: digits.Split, settings: Settings) -> list[digits.Split]:
    x, y = train
    parts = partition.dirichlet(y, settings.clients, alpha=0.5, seed=settings.seed)
    return [(x[part], y[part]) for part in parts]


def _dropouts(settings: Settings) -> Iterator[dict[int, int]]:
    """For each round, who is gone from which protocol round on."""
    rng = seeds.generator("demo/dropouts", settings.seed)
    for _ in range(settings.rounds):
        gone = rng.choice(settings.clients, settings.dropouts, replace=False)
        yield {int(client): int(rng.integers(5)) for client in sorted(gone)}


def _process(seed: int, aggregator: Aggregator) -> FederatedProcess:
    return build_weighted_fed_avg(
        lambda: _network(seed),
        client_optimizer_fn=lambda: keras.optimizers.SGD(0.2),
        server_optimizer_fn=lambda: keras.optimizers.SGD(SERVER_LEARNING_RATE),
        aggregator=aggregator,
        batch_size=16,
        epochs=5,
        seed=seed,
    )


def _evaluation(seed: int) -> FedEval:
    # The test set is one party's own: there is nobody to hide it from.
    return build_fed_eval(lambda: _network(seed), aggregator=PlainSum())


def _network(seed: int) -> keras.Model:
    glorot = keras.initializers.GlorotUniform
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu", kernel_initializer=glorot(2 * seed)),
            keras.layers.Dense(10, kernel_initializer=glorot(2 * seed + 1)),
        ]
    )
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    return model
