"""One row of the table: a model, its data, and how it is trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

import fl

SIZES = (20, 12, 7)  # examples of the clients: no whole number of batches
BATCH = 8


def sgd() -> Any:
    return keras.optimizers.SGD(0.05)


@dataclass(frozen=True)
class Row:
    """A setting. By default it is trained for two rounds, and is equal to all it is compared with.

    builder: of the process.
    model: optimizer -> a built model compiled with it, with the same weights whenever it is called.
    data: (rng, examples) -> (x, y) or (x, y, sample_weight).
    optimizer: makes the client's. server: makes the server's.
    model_fn: what the process is built with, where that is not `model` with the client's optimizer.
    shape: how data are handed to the process.
    fit, evaluate: whether it is compared with Keras's. not_compared: names of metrics that are not.
    refused: a message of an `fl.errors.FLError`, raised when the process is built or in round 1.
    rtol, atol: of weights against `fit`. server_gain: the most by which the server's optimizer
        multiplies what is wrong in a mean.
    options: of the builder. secure: of the secure sum.
    fast: part of `make test`; the others are slow.
    """

    model: Callable[[Any], Any]
    data: Callable[[np.random.Generator, int], tuple[Any, ...]]
    optimizer: Callable[[], Any] = sgd
    server: Callable[[], Any] | None = None
    builder: Callable[..., Any] = fl.build_weighted_fed_avg
    model_fn: Callable[[], Any] | None = None
    shape: Callable[[tuple[Any, ...]], Any] = lambda data: data
    fit: bool = True
    evaluate: bool = True
    not_compared: tuple[str, ...] = ()
    refused: str | None = None
    rounds: int = 2
    epochs: int = 1
    rtol: float = 1e-5
    atol: float = 2e-6
    server_gain: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)
    secure: Mapping[str, Any] = field(default_factory=dict)
    fast: bool = False

    def clients(self) -> list[tuple[Any, ...]]:
        """The arrays of every client."""
        return [self.data(np.random.default_rng(seed), n) for seed, n in enumerate(SIZES)]

    def new_model(self) -> Any:
        """The model with a new client optimizer."""
        return self.model(self.optimizer())

    def process(self) -> Any:
        """A process over the plain sum. Raises FLError."""
        server = {} if self.server is None else {"server_optimizer_fn": self.server}
        return self.builder(
            self.model_fn or self.new_model,
            aggregator=fl.PlainSum(),
            batch_size=BATCH,
            epochs=self.epochs,
            shuffle=False,
            **server,
            **self.options,
        )
