"""A whole training from its settings: data, model, algorithm, cohorts, rounds, checkpoints.

    for metrics in Training(settings, run_dir): ...        one dict a round

Everything a round does follows from the settings and the state before it, so a run that goes on
from a checkpoint ends with the weights of one that was never interrupted, bit for bit. A round that
too few clients finish, in which nobody has an example, or whose sum no honest clients give, is
recorded as failed, changes no weight, and the next one begins.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fl.aggregators.plain import PlainSum
from fl.data.federated import Division, federated
from fl.errors import ImplausibleSum, NoExamples, TooFewClients
from fl.evaluation.fed_eval import build_fed_eval
from fl.experiment import model_zoo
from fl.experiment import settings as told
from fl.experiment.checkpoint import PART, explained
from fl.experiment.run_directory import RunDir
from fl.experiment.settings import Settings, Simulation
from fl.model.vector import ModelWeights
from fl.population.cohorts import Cohort, OnClient
from fl.population.devices import Fleet, Selection, select
from fl.population.sampling import Dropout, Uniform, round_rng
from fl.process.reports import EvaluationMetrics
from fl.process.server_optimizer import ServerState


class Training:
    """Iterate over it for the rounds that are left; `state` is the latest.

    Raises FLError for settings that cannot be, before the first round.
    """

    def __init__(
        self,
        settings: Settings,
        run_dir: RunDir,
        *,
        rounds: int,
        workers: int = 1,
        checkpoint_every: int = 1,
        evaluate_every: int = 1,
        on_client: OnClient = lambda done, total: None,
        simulation: Simulation = told.HERE,
    ) -> None:
        self.settings = settings
        self._run_dir = run_dir
        self._rounds = rounds
        self._every = checkpoint_every
        self._evaluate_every = evaluate_every
        self._on_client = on_client
        self._data = federated(settings.dataset, settings.data_dir, told.division(settings))
        self._test = self._data.test.pooled()
        self._sizes = told.sizes(self._data.train)
        self._fleet = Fleet(self._sizes, seed=settings.seed)
        self._cohorts = Uniform(settings.clients_per_round, settings.over_selection)
        told.check_sum(settings, self._sizes)
        self._conditions = told.conditions(settings)
        self._dropout = Dropout.in_session(settings.dropout)
        model_fn = told.model_of(settings, self._data)
        self._process = told.process_of(settings, model_fn, simulation, workers)
        self._evaluate = build_fed_eval(model_fn, aggregator=PlainSum())
        initial = self._process.initialize()
        self.found = run_dir.resume(initial, told.digests(settings, self._data))
        self.state: ServerState = self.found.state if self.found else initial

    @property
    def parameters(self) -> int:
        """The length of the vector of weights."""
        return sum(array.size for array in self.state.weights.arrays)

    @property
    def clients(self) -> int:
        """How many clients there are."""
        return len(self._sizes)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while self.state.round < self._rounds:
            metrics = self._round()
            last = self.state.round == self._rounds
            if last or self.state.round % self._evaluate_every == 0:
                metrics["eval"] = self.evaluate()
            self._run_dir.record(metrics)
            if last or self.state.round % self._every == 0:
                self._run_dir.save(self.state, self.state.round)
            yield metrics
        self._run_dir.close()

    def evaluate(self) -> dict[str, Any]:
        """The present weights on the test examples, which are in one place."""
        metrics = self._evaluate(self.state.weights, [self._test])
        result: dict[str, Any] = metrics["client_work"]["eval"]
        return result

    def save_model(self) -> Path:
        """Write the model with the present weights; its file. Raises CheckpointError."""
        path = self._run_dir.model
        with explained("model", path):
            write_model(self._process.get_model(self.state), path)
        return path

    def _round(self) -> dict[str, Any]:
        number, seed = self.state.round, self.settings.seed
        started = time.perf_counter()
        selection: Selection | None = None
        try:
            selection = select(self._fleet, self._conditions, self._cohorts, seed, number)
            if len(selection.cohort) < 2:
                raise TooFewClients("one client alone: its update would be the sum")
            drops = self._dropout.draw(selection.cohort, round_rng(seed, number, "dropout"))
            cohort = Cohort(self._data.train.arrays, selection.cohort, self._on_client)
            self.state, played = self._process.next(self.state, cohort, dropouts=drops)
            metrics: dict[str, Any] = {**played}
        except (TooFewClients, ImplausibleSum, NoExamples) as error:
            self.state = replace(self.state, round=number + 1)
            metrics = {"round": number + 1, "failed": str(error), "seconds": {}}
        if selection is not None:
            metrics["selection"] = asdict(selection)
        metrics["seconds"]["round"] = time.perf_counter() - started
        return metrics


def write_model(model: Any, path: Path) -> None:
    """Save a Keras model, in full or not at all."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=PART) as folder:
        saved = Path(folder) / path.name
        model.save(saved)
        os.replace(saved, path)


def evaluate_model(
    path: Path,
    dataset: str,
    data_dir: Path | None,
    *,
    clients: int | None = None,
    aggregator: str = "secure",
    seed: int = 0,
    on_client: OnClient = lambda done, total: None,
    simulation: Simulation = told.HERE,
) -> EvaluationMetrics:
    """The federated evaluation of a saved model on a data set's test clients. Raises FLError."""
    data = federated(dataset, data_dir, Division(clients=clients, seed=seed))
    settings = Settings(aggregator=aggregator)
    summed = told.aggregator(settings, simulation)
    model = model_zoo.from_file(path)
    evaluation = build_fed_eval(lambda: model, aggregator=summed)
    cohort = Cohort(data.test.arrays, data.test.client_ids, on_client)
    return evaluation(ModelWeights.from_model(model), cohort)
