"""A client's work in a round of training: what it reads from the message, and what it trains."""

from __future__ import annotations

import keras

from fl import plan
from fl.aggregators.contribution import Contribution, Metric
from fl.client.examples import read_examples
from fl.client.local_training import LocalTrainer
from fl.client.trainer_pool import TrainerPool
from fl.round_message import Received


class TrainingWork:
    """Trains on a client's examples by the plan in the message."""

    kind = plan.KIND

    def __init__(self, trainer: LocalTrainer | TrainerPool) -> None:
        self._trainer = trainer

    @property
    def model(self) -> keras.Model:
        """What is trained."""
        return self._trainer.model

    @property
    def workers(self) -> int:
        """How many clients may train at a time."""
        return self._trainer.workers

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What the metrics consist of; known after a training."""
        return self._trainer.metrics.parts

    def contribution(self, received: Received, client: int, data: object) -> Contribution | None:
        """Train client number `client`. Raises FLError for a message without a plan, DataError."""
        round_plan = plan.plan_of(received)
        examples = read_examples(data)
        return self._trainer.train(round_plan, client, examples) if examples.count else None
