"""Personalization evaluation (Wang et al. 2019): does it pay to fine-tune the model locally?

    for each strategy: train a copy of the weights on the client's training data, evaluate it on
    the client's test data; beside it the weights as they are, the baseline

The metrics of all clients are summed securely, and so is the number of clients for whom a strategy
made the loss smaller. The fine-tuned weights never leave the client. The server's do not change.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fl import plan, seeds, tff
from fl.aggregators.contribution import Aggregator, Contribution, Metric, Session, check_dropouts
from fl.aggregators.secure import chosen_sum
from fl.client.compiled_loop import BatchLoop, read_vector
from fl.client.examples import Examples, count_clients, read_examples
from fl.client.local_training import LocalTrainer
from fl.client.metrics import Numbers
from fl.errors import DataError, ModelError
from fl.model.keras_models import ModelFn, OptimizerFn, client_model, evaluation_model
from fl.model.vector import ModelWeights, Vector
from fl.plan import RoundPlan, Terms
from fl.process.federated_process import for_each_client
from fl.progress.watch import watching

_LABEL = b"secagg/v1/fl-personalization"
BASELINE = "baseline"


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


@tff.refuses_tff_arguments
def build_personalization_eval(
    model_fn: ModelFn,
    strategies: Mapping[str, FineTune],
    *,
    aggregator: Aggregator | None = None,
    batch_size: int = 256,
    seed: int = 0,
    input_spec: Any = None,
) -> PersonalizationEval:
    """An evaluation of fine-tuning, for models with the architecture of `model_fn`.

    model_fn: called once for each strategy and once more; it must return a new model each time.
    strategies: by name; "baseline" is the name of none.
    batch_size: of the evaluation. Other arguments as those of `fl.build_weighted_fed_avg`.

    Raises ModelError for a model, an optimizer or a strategy that cannot be used.

    >>> evaluate = fl.build_personalization_eval(model_fn, {"once": fl.FineTune(batch_size=10)})
    >>> data = [{"train": (x[:10], y[:10]), "test": (x[10:], y[10:])} for x, y in clients]
    >>> list(evaluate(fl.ModelWeights.from_model(model_fn()), data)["client_work"]["eval"])
    ['baseline', 'once']
    """
    if not strategies or BASELINE in strategies:
        raise ModelError(f"strategies {sorted(strategies)}: some, none of them called {BASELINE!r}")
    tuners = {
        name: _Tuner(model_fn, strategy, seed, input_spec) for name, strategy in strategies.items()
    }
    model = evaluation_model(model_fn, input_spec)
    if any(tuner.trainer.model is model for tuner in tuners.values()):
        raise ModelError("model_fn returned one model twice: a new one each time expected")
    chosen = chosen_sum(aggregator)
    return PersonalizationEval(model, tuners, chosen, batch_size)


class _Tuner:
    """One strategy, ready to train: a model of its own and the terms of training."""

    def __init__(self, model_fn: ModelFn, strategy: FineTune, seed: int, input_spec: Any) -> None:
        model = client_model(model_fn, strategy.optimizer_fn, input_spec)
        self.trainer = LocalTrainer(*model, loop=_TunedLoop)
        self.terms = Terms(
            round=0,
            seed=seed,
            batch_size=strategy.batch_size,
            epochs=strategy.epochs,
            shuffle=strategy.shuffle,
            weighted=False,
            optimizer=self.trainer.optimizer,
        )

    def tuned(self, told: RoundPlan, client: int, examples: Examples) -> Vector:
        """The weights after fine-tuning, float32[d]."""
        work = self.trainer.train(told, client, examples)
        return np.concatenate([work.delta, work.statistics])


class _TunedLoop(BatchLoop):
    """A pass that gives all weights as they are after it: the changes, in float32, would not tell a
    weight that became small."""

    def _update(self, weights: Any, skipped: Any) -> Any:
        return read_vector(self._weights)


class PersonalizationEval:
    """Call it: `evaluate(weights, client_data)`. Build it with `build_personalization_eval`."""

    def __init__(
        self,
        model: Any,
        tuners: Mapping[str, _Tuner],
        aggregator: Aggregator,
        batch_size: int,
    ) -> None:
        self._name = model.name
        self._like = ModelWeights.from_model(model)
        self._loop = BatchLoop(model, model.test_step)
        self._tuners = dict(tuners)
        self._aggregator = aggregator
        self._terms = Terms(0, 0, batch_size, 1, False, False, "")

    def __repr__(self) -> str:
        return (
            f"PersonalizationEval(model={self._name!r}, {self._like!r}, "
            f"strategies={list(self._tuners)}, aggregator={self._aggregator!r})"
        )

    @watching()
    def __call__(
        self,
        weights: ModelWeights,
        client_data: Sequence[Mapping[str, Any]],
        *,
        dropouts: Mapping[int, int] | None = None,
    ) -> dict[str, Any]:
        """Fine-tune and evaluate on the clients' data; metrics as a plain dict.

        client_data: for each client {"train": ..., "test": ...}, each in any form that training
            takes; one without either counts for nothing. dropouts: as for training.

        ["client_work"]["eval"] has, for the baseline and every strategy, the metrics over all test
        examples; for a strategy also `improved`, the number of clients whose loss it made smaller
        (0 for a model that reports no loss).

        Raises DataError and NoExamples as training does, ModelError for weights of another model,
        and what the aggregator raises.
        """
        weights = self._like.arranged(weights)
        gone = check_dropouts(dropouts or {}, count_clients(client_data))
        started = time.perf_counter()
        vector = weights.to_vector()
        # What every client is sent: one plan for each strategy, and one for the evaluation.
        told = {name: _told(tuner.terms, vector) for name, tuner in self._tuners.items()}
        told[BASELINE] = _told(self._terms, vector)
        contributions = for_each_client(
            client_data, lambda client, data: self._contribution(told, client, data)
        )
        worked = time.perf_counter()
        context = hashlib.sha256(_LABEL + b"".join(each.digest for each in told.values())).digest()
        contexts = [context] * len(client_data)
        session = Session(0, 0, contexts, gone, weighted=False, metrics=self._metrics())
        total = self._aggregator.aggregate(contributions, session)
        return {
            "client_work": {"eval": self._report(total.metrics)},
            "aggregator": total.report(),
            "seconds": {"eval": worked - started, "protocol": total.seconds},
        }

    def _contribution(
        self, told: Mapping[str, RoundPlan], client: int, data: Any
    ) -> Contribution | None:
        train, test = _parts(data)
        if not (train.count and test.count):
            return None
        before = self._measure(told[BASELINE].weights, client, test)
        numbers = [before]
        for name, tuner in self._tuners.items():
            after = self._measure(tuner.tuned(told[name], client, train), client, test)
            improved = self._loss(after) < self._loss(before)
            numbers.append(np.append(after, float(improved)))
        return Contribution(np.zeros(0, np.float32), 1, np.concatenate(numbers))

    def _measure(self, weights: Vector, client: int, test: Examples) -> Numbers:
        order, bounds = test.schedule(
            batch_size=self._terms.batch_size,
            epochs=1,
            shuffle=False,
            rng=np.random.default_rng(0),  # asked for nothing: evaluation does not shuffle
        )
        layers = seeds.of_client(0, 0, client, "evaluation")
        return self._loop.run(weights, layers, test, order, bounds)[1]

    def _metrics(self) -> tuple[Metric, ...]:
        """What a contribution's metrics consist of: each name after that of its strategy."""
        parts = self._loop.metrics.parts
        metrics = [part._replace(name=f"{BASELINE}/{part.name}") for part in parts]
        for name in self._tuners:
            metrics += [part._replace(name=f"{name}/{part.name}") for part in parts]
            metrics.append(Metric(f"{name}/improved", 1, 1))
        return tuple(metrics)

    def _loss(self, numbers: Numbers) -> float:
        return float(self._loop.metrics.report(numbers).get("loss", np.nan))

    def _report(self, sums: Numbers) -> dict[str, Any]:
        size = (len(sums) - len(self._tuners)) // (1 + len(self._tuners))
        report = {BASELINE: self._loop.metrics.report(sums[:size])}
        rest = sums[size:].reshape(len(self._tuners), size + 1)
        for name, row in zip(self._tuners, rest, strict=True):
            report[name] = {**self._loop.metrics.report(row[:-1]), "improved": round(row[-1])}
        return report


def _told(terms: Terms, vector: Vector) -> RoundPlan:
    return plan.read(plan.write(terms, vector))


def _parts(data: Any) -> tuple[Examples, Examples]:
    if not isinstance(data, Mapping) or set(data) != {"train", "test"}:
        raise DataError('client data of two parts expected: {"train": ..., "test": ...}')
    return read_examples(data["train"]), read_examples(data["test"])
