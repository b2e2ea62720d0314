"""One strategy of fine-tuning, and a model that is trained by it.

    (weights, examples) -> weights after so many epochs of a new optimizer

It is the client's pass of a round, but gives all weights as they are after it, and sums nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from fl.client.compiled_loop import BatchLoop, read_vector
from fl.client.examples import Examples
from fl.client.local_training import LocalTrainer
from fl.client.metrics import MetricSums, Numbers
from fl.errors import ModelError
from fl.model.keras_models import InputSpec, ModelFn, OptimizerFn, client_model
from fl.model.vector import Vector
from fl.plan import RoundPlan, Terms


@dataclass(frozen=True)
class FineTune:
    """One strategy: so many epochs of an optimizer.

    optimizer_fn: returns a new Keras optimizer; None is the one that the model was compiled with.
    batch_size, epochs, shuffle: for training data that are arrays.

    >>> fl.FineTune(lambda: keras.optimizers.Adam(0.01), epochs=3).epochs
    3
    """

    optimizer_fn: OptimizerFn | None = None
    batch_size: int = 32
    epochs: int = 1
    shuffle: bool = True


class _TunedLoop(BatchLoop):
    """A pass that gives all weights as they are after it: the changes, in float32, would not tell a
    weight that became small."""

    def _update(self, weights: Any, skipped: Any) -> Any:
        return read_vector(self._weights)


@dataclass(frozen=True)
class Tuner:
    """One strategy, ready to train: a model of its own and the terms of training."""

    trainer: LocalTrainer
    terms: Terms

    @classmethod
    def of(cls, model_fn: ModelFn, how: FineTune, seed: int, input_spec: InputSpec) -> Tuner:
        """The strategy with a model of `model_fn`. Raises ModelError."""
        if not isinstance(how, FineTune):
            raise ModelError(f"a strategy of type {type(how).__name__}, expected fl.FineTune(...)")
        model, optimizer = client_model(model_fn, how.optimizer_fn, input_spec)
        trainer = LocalTrainer(model, optimizer, loop=_TunedLoop)
        terms = Terms(0, seed, how.batch_size, how.epochs, how.shuffle, False, trainer.optimizer)
        return cls(trainer, terms)

    @property
    def model(self) -> keras.Model:
        """What is trained."""
        return self.trainer.model

    @property
    def metrics(self) -> MetricSums:
        """Reads the numbers of a training; known after one."""
        return self.trainer.metrics

    def tuned(
        self, round_plan: RoundPlan, client: int, examples: Examples
    ) -> tuple[Vector, Numbers]:
        """The weights after fine-tuning, float32[d], and the state of the metrics on the way."""
        work = self.trainer.train(round_plan, client, examples)
        return np.concatenate([work.delta, work.statistics]), work.metrics
