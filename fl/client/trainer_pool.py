"""Clients trained in parallel: one trainer a worker, threads, the same result as one after another.

    process = fl.build_weighted_fed_avg(model_fn, workers=2)

Each client is trained by one trainer from the round's weights alone, so it does not matter which
one, or when: the contributions are the same bit for bit, and are summed in the clients' order.
TensorFlow computes outside Python's lock, so threads are enough. They help only where each worker's
TensorFlow keeps to one thread: `one_thread_each`, before anything is computed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import combinations
from queue import SimpleQueue
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fl.aggregators.contribution import Contribution
from fl.client.examples import Examples
from fl.client.local_training import LocalTrainer
from fl.client.metrics import MetricSums
from fl.errors import ModelError
from fl.model.layout import Layout
from fl.model.vector import ModelWeights, local_variables, values
from fl.plan import RoundPlan

_NAMED = 5  # so many of the variables that two workers use stand in the error


def one_thread_each(workers: int = 1) -> None:
    """Let TensorFlow use one thread an operation, and run as many operations at a time as workers.

    For models of the size that clients train, more threads cost more than they bring. Raises
    RuntimeError where TensorFlow has already computed something.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(workers)


class TrainerPool:
    """Several trainers in place of one, from any thread; each has a model of its own.

    Raises ModelError where the trainers are not alike, or two of them use one variable, such as
    that of a layer or a metric which `model_fn` does not make itself. Of metrics, and of variables
    that no model lists, this is known in the first rounds only.
    """

    def __init__(self, trainers: Sequence[LocalTrainer]) -> None:
        self._first, self._trainers = trainers[0], list(trainers)
        self.workers = len(trainers)
        self._checked: set[LocalTrainer] = set()
        for one, other in combinations(trainers, 2):
            _check_apart(one, other)
        for other in trainers[1:]:
            _check_alike(self._first, other)
        self._tracing = threading.Lock()
        self._idle: SimpleQueue[LocalTrainer] = SimpleQueue()
        for trainer in trainers:
            self._idle.put(trainer)

    def train(self, plan: RoundPlan, client: int, examples: Examples) -> Contribution:
        """As `LocalTrainer.train`, by a trainer that is idle; waits for one. Raises ModelError also
        where two trainers' models use one variable."""
        trainer = self._idle.get()
        try:
            # Keras creates and traces in one thread at a time
            with nullcontext() if trainer.trace_count else self._tracing:
                contribution = trainer.train(plan, client, examples)
            self._check_trained(trainer)
            return contribution
        finally:
            self._idle.put(trainer)

    def trace(self, examples: Examples) -> None:
        """As `LocalTrainer.trace`, of the first trainer."""
        self._first.trace(examples)

    @property
    def model(self) -> keras.Model:
        """The first trainer's."""
        return self._first.model

    @property
    def initial_weights(self) -> ModelWeights:
        """Those of every trainer's model."""
        return self._first.initial_weights

    @property
    def trace_count(self) -> int:
        """How often training functions were traced."""
        return sum(trainer.trace_count for trainer in self._trainers)

    @property
    def layout(self) -> Layout:
        """As `LocalTrainer.layout`, of one that has trained."""
        return self._trained.layout

    @property
    def metrics(self) -> MetricSums:
        """Reads summed metrics, by a trainer that has trained."""
        return self._trained.metrics

    @property
    def _trained(self) -> LocalTrainer:
        """A trainer that has trained a client, if there is one: some may not have."""
        return next((trainer for trainer in self._trainers if trainer.trace_count), self._first)

    def _check_trained(self, trainer: LocalTrainer) -> None:
        """Once its step was traced, all that it uses is known: metrics, and what no model lists.

        Traces come one after another: of two trainers the later sees what the earlier uses.
        """
        if trainer in self._checked:
            return
        for other in self._trainers:
            if other is not trainer:
                _check_apart(trainer, other)
                _check_strays(trainer, other)
        self._checked.add(trainer)


def _check_apart(one: LocalTrainer, other: LocalTrainer) -> None:
    """Two threads that assign to one variable would train on what the other makes of it."""
    handles = {id(variable.handle) for variable in other.variables}
    shared = [v for v in one.variables if id(v.handle) in handles]
    names = list(dict.fromkeys(getattr(v, "path", v.name) for v in shared))
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        raise ModelError(
            f"several workers use the same variables, {', '.join(names[:_NAMED])}{more}, expected "
            "models, metrics and seed generators that `model_fn` makes anew, or one worker"
        )


def _check_strays(one: LocalTrainer, other: LocalTrainer) -> None:
    """What no model lists may begin otherwise in another."""
    if one.strays and other.strays:
        for mine, theirs in zip(one.strays, other.strays, strict=True):
            if not np.array_equal(mine.first, theirs.first):
                raise ModelError(
                    f"the workers' models begin with different {mine.name}, expected the same"
                )


def _check_alike(one: LocalTrainer, other: LocalTrainer) -> None:
    one.initial_weights.check_like(other.initial_weights)
    if one.optimizer != other.optimizer:
        raise ModelError("the workers have different client optimizers, expected the same")
    pairs = zip(_local(one), _local(other), strict=True)
    if not all(np.array_equal(a, b) for a, b in pairs):
        raise ModelError(
            "the workers' models begin with different integer weights, expected the same"
        )


def _local(trainer: LocalTrainer) -> Sequence[Any]:
    return values(local_variables(trainer.model))
