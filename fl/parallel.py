"""Clients trained in parallel: one trainer a worker, threads, the same result as one after another.

    process = fl.with_workers(lambda: fl.build_weighted_fed_avg(model_fn, ...), 2)

Each client is trained by one trainer from the round's weights alone, so it does not matter which
one, or when: the contributions are the same bit for bit, and are summed in the clients' order.
TensorFlow computes outside Python's lock, so threads are enough. They help only where each worker's
TensorFlow keeps to one thread: `one_thread_each`, before anything is computed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from fl.contribution import Contribution
from fl.errors import ModelError
from fl.examples import Examples
from fl.local import LocalTrainer
from fl.metrics import MetricSums
from fl.plan import RoundPlan
from fl.state import apart_from
from fl.vector import local_variables, values

if TYPE_CHECKING:
    from fl.fedavg import FedAvg


def with_workers(build: Callable[[], FedAvg], workers: int) -> FedAvg:
    """A process that trains as many clients at a time; `build` is called once a worker.

    Raises ModelError where `build` does not make the same process each time.

    >>> process = fl.with_workers(lambda: fl.build_weighted_fed_avg(model_fn), 2)
    >>> process.next(process.initialize(), clients).state.round
    1
    """
    if workers < 1:
        raise ModelError(f"workers is {workers}: at least 1 expected")
    first, *others = (build() for _ in range(workers))
    first.share_with(others)
    return first


def one_thread_each(workers: int = 1) -> None:
    """Let TensorFlow use one thread an operation, and run as many operations at a time as workers.

    For models of the size that clients train, more threads cost more than they bring. Raises
    RuntimeError where TensorFlow has already computed something.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(workers)


class TrainerPool:
    """Several trainers in place of one: a `LocalTrainer` to whoever uses it, from any thread."""

    def __init__(self, trainers: Sequence[LocalTrainer]) -> None:
        self._first, self._trainers = trainers[0], list(trainers)
        self.workers = len(trainers)
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
            self._check_strays(trainer)
            return contribution
        finally:
            self._idle.put(trainer)

    @property
    def metrics(self) -> MetricSums:
        """Reads summed metrics, by a trainer that has trained: not each may have had a client."""
        traced = (trainer for trainer in self._trainers if trainer.trace_count)
        return next(traced, self._first).metrics

    def _check_strays(self, trainer: LocalTrainer) -> None:
        """What a model does not list may be shared with another, or begin otherwise there."""
        for other in self._trainers:
            if other is trainer or not (trainer.strays and other.strays):
                continue
            apart = apart_from(trainer.strays, other.strays)
            if shared := [stray.name for stray in trainer.strays if stray not in apart]:
                raise ModelError(
                    f"the models of several workers use the same variables, {', '.join(shared)}: "
                    "variables and seed generators of each model's own expected, or one worker"
                )
            for one, two in zip(trainer.strays, other.strays, strict=True):
                if not np.array_equal(one.first, two.first):
                    raise ModelError(f"the workers' models begin with different {one.name}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._first, name)


def _check_alike(one: LocalTrainer, other: LocalTrainer) -> None:
    one.initial_weights.check_like(other.initial_weights)
    if one.optimizer != other.optimizer:
        raise ModelError("the workers' processes have different client optimizers")
    pairs = zip(_local(one), _local(other), strict=True)
    if not all(np.array_equal(a, b) for a, b in pairs):
        raise ModelError("the workers' models begin with different integer weights")


def _local(trainer: LocalTrainer) -> Sequence[Any]:
    return values(local_variables(trainer.model))
