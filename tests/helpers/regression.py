"""A training without TensorFlow: a gradient step of least squares a round, on data of the client's
number; for tests with many processes, and for quick ones."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from fl.aggregators import Contribution, SecureSum
from fl.aggregators.contribution import Metric
from fl.process.client_half import ClientHalf
from fl.process.server_half import ServerHalf
from fl.process.simulation import play
from fl.round_message import RoundMessage

KIND, FEATURES = "regression", 40


@dataclass(frozen=True, eq=False)
class State:
    """float64[FEATURES]."""

    weights: np.ndarray
    round: int = 0


class Result(NamedTuple):
    """What a round gives."""

    state: State
    metrics: dict


class Step:
    """A client's half: a step down the gradient of its own data."""

    kind, workers, metrics = KIND, 1, (Metric("loss", 1),)

    def contribution(self, received, client, data):
        x, y = data
        wrong = x @ np.frombuffer(received.body, "<f8") - y
        step = (-0.1 / len(x) * (x.T @ wrong)).astype(np.float32)
        return Contribution(step, len(x), np.array([wrong @ wrong]))


class Move:
    """The server's half: along the mean of the steps."""

    def message(self, state, announced):
        body = state.weights.astype("<f8").tobytes()
        return RoundMessage(
            kind=KIND,
            round=state.round,
            seed=7,
            weighted=True,
            task={},
            body=body,
            announced=announced,
        ).write()

    def carried(self, state):
        return ()

    def finish(self, state, total, worked):
        after = State(state.weights + total.mean, state.round + 1)
        metrics = {
            "round": after.round,
            "client_work": {"train": {"loss": float(total.metrics[0])}},
            "aggregator": total.report(),
            "seconds": {"train": worked, "protocol": total.seconds},
        }
        return Result(after, metrics)


class Regression:
    """The process that every party builds."""

    client_half = ClientHalf(Step(), SecureSum())
    server_half = ServerHalf(Move(), SecureSum())

    def initialize(self):
        return State(np.zeros(FEATURES))

    def next(self, state, data, dropouts, aggregator):
        """A round in one process."""
        server = replace(self.server_half, aggregator=aggregator)
        return play(replace(self.client_half, aggregator=aggregator), server, state, data, dropouts)


def data(client):
    rng = np.random.default_rng(client)
    x = rng.normal(size=(30 + client, FEATURES))
    return x, x @ np.arange(FEATURES) + rng.normal(size=len(x))


def examples():
    return np.zeros((1, FEATURES)), np.zeros(1)
