"""A whole training from its settings: data, model, algorithm, who takes part, rounds, checkpoints.

    for metrics in Training(settings, options): ...        one dict a round

Everything a round does follows from the settings and the state before it, so a run that goes on
from a checkpoint ends with the weights of one that was never interrupted, bit for bit. A round that
too few clients finish, in which nobody has an example, or whose sum no honest clients give, is
recorded as failed, changes no weight, and the next one begins.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import keras

from fl.aggregators.observed import Observed
from fl.aggregators.plain import PlainSum
from fl.data.federated import Division, federated
from fl.errors import ImplausibleSum, NoExamples, TooFewClients
from fl.evaluation.fed_eval import build_fed_eval
from fl.experiment import assembly, model_zoo, noise
from fl.experiment.assembly import HERE, Simulation
from fl.experiment.checkpoint import PART, explained
from fl.experiment.metrics import RunLine, Selected, line_of
from fl.experiment.private_rounds import private_rounds
from fl.experiment.run_directory import RunDir, default_run_dir
from fl.experiment.seen import seen_of
from fl.experiment.settings import Evaluation, RunOptions, Settings
from fl.model.vector import ModelWeights
from fl.population.devices import Fleet, Selection, select
from fl.population.sampling import Dropout, round_rng
from fl.population.watched_data import OnClient, WatchedData
from fl.process.reports import EvaluationMetrics, MetricValues
from fl.process.server_optimizer import ServerState
from fl.process.training_server import RoundResult

_DEFAULT_OPTIONS = RunOptions()


class Training:
    """Iterate over it for the rounds that are left; `state` is the latest.

    Raises FLError for settings that cannot be, before the first round.
    """

    def __init__(
        self,
        settings: Settings,
        options: RunOptions = _DEFAULT_OPTIONS,
        *,
        on_client: OnClient = lambda done, total: None,
        simulation: Simulation = HERE,
    ) -> None:
        self.settings = settings
        self.directory = RunDir(
            options.run_dir or default_run_dir(settings), settings.as_json(), options.keep
        )
        self._options = options
        self._on_client = on_client
        self._data = federated(settings.dataset, settings.data_dir, assembly.division(settings))
        self._test = self._data.test.pooled()
        self._sizes = assembly.sizes(self._data.train)
        self._fleet = Fleet(self._sizes, seed=settings.seed)
        self._sampler = noise.sampler_of(settings, len(self._sizes))
        assembly.check_sum(settings, self._sizes)
        self._conditions = assembly.conditions(settings)
        self._dropout = Dropout.in_session(settings.dropout)
        self._observed: Observed | None = None
        if options.report and not self.directory.seen.exists():
            simulation = replace(simulation, on_seen=self._keep)
        model_fn = assembly.model_of(settings, self._data)
        self._privacy = private_rounds(settings, self.directory.path, self._sizes, model_fn)
        multiplier = None if self._privacy is None else self._privacy.multiplier
        summed = assembly.aggregator(settings, simulation, multiplier)
        self._process = assembly.process_of(settings, model_fn, summed, options.workers)
        self._evaluate = build_fed_eval(model_fn, aggregator=PlainSum())
        initial = self._process.initialize()
        self.found = self.directory.resume(initial, assembly.digests(settings, self._data))
        self.state: ServerState = self.found.state if self.found else initial

    @property
    def parameters(self) -> int:
        """The length of the vector of weights."""
        return sum(array.size for array in self.state.weights.arrays)

    @property
    def clients(self) -> int:
        """How many clients there are."""
        return len(self._sizes)

    @property
    def amplified(self) -> bool:
        """Whether its ε counts on nobody knowing who takes part in which round."""
        return self._privacy is not None and noise.rate_of(self.settings, self.clients) < 1

    def __iter__(self) -> Iterator[RunLine]:
        while self.state.round < self.settings.rounds:
            metrics = self._round()
            last = self.state.round == self.settings.rounds
            if last or self.state.round % self._options.evaluate_every == 0:
                metrics["eval"] = self.evaluate()
            self.directory.record(metrics)
            if last or self.state.round % self._options.checkpoint_every == 0:
                self.directory.save(self.state, self.state.round)
            yield metrics
        self.directory.close()

    def evaluate(self) -> MetricValues:
        """The present weights on the test examples, which are in one place."""
        metrics = self._evaluate(self.state.weights, [self._test])
        return metrics["client_work"]["eval"]

    def save_model(self) -> Path:
        """Write the model with the present weights; its file. Raises CheckpointError."""
        path = self.directory.model
        with explained("model", path):
            write_model(self._process.get_model(self.state), path)
        return path

    def _round(self) -> RunLine:
        number, seed = self.state.round, self.settings.seed
        started = time.perf_counter()
        selection: Selection | None = None
        metrics: RunLine
        try:
            selection = select(self._fleet, self._conditions, self._sampler, seed, number)
            self.state, of_the_round = self._train(selection.cohort)
            metrics = line_of(of_the_round)
            self._record_seen(number + 1, selection.cohort)
        except (TooFewClients, ImplausibleSum, NoExamples) as error:
            self.state, self._observed = replace(self.state, round=number + 1), None
            metrics = {"round": number + 1, "failed": str(error), "seconds": {}}
        if selection is not None:
            metrics["selection"] = cast(Selected, asdict(selection))
        if self._privacy is not None:
            metrics["privacy"] = self._privacy.spent
        metrics["seconds"]["round"] = time.perf_counter() - started
        return metrics

    def _keep(self, observed: Observed) -> None:
        self._observed = observed

    def _record_seen(self, round_number: int, cohort: Sequence[str]) -> None:
        """Once in a run, if it was asked for."""
        if self._observed is not None:
            client = cohort[self._observed.client]
            self.directory.record_seen(seen_of(self._observed, round_number, client))
            self._observed = None

    def _train(self, clients: Sequence[str]) -> RoundResult:
        """One round of these clients, of whom some drop out."""
        if len(clients) < 2:
            raise TooFewClients(
                "one client alone, expected at least 2: the sum would be its update"
            )
        rng = round_rng(self.settings.seed, self.state.round, "dropout")
        watched = WatchedData(self._data.train.arrays, clients, self._on_client)
        dropouts = self._dropout.draw(clients, rng)

        def play() -> RoundResult:
            return self._process.next(self.state, watched, dropouts=dropouts)

        if self._privacy is None:
            return play()
        return self._privacy.accounted(self.state.round + 1, clients, play)


def write_model(model: keras.Model, path: Path) -> None:
    """Save a Keras model, in full or not at all."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=PART) as folder:
        saved = Path(folder) / path.name
        model.save(saved)
        os.replace(saved, path)


def evaluate_model(
    evaluation: Evaluation,
    on_client: OnClient = lambda done, total: None,
    simulation: Simulation = HERE,
) -> EvaluationMetrics:
    """The federated evaluation of a saved model on a data set's test clients. Raises FLError."""
    division = Division(clients=evaluation.clients, seed=evaluation.seed)
    data = federated(evaluation.dataset, evaluation.data_dir, division)
    summed = assembly.sum_of(Settings(aggregator=evaluation.aggregator), simulation)
    model = model_zoo.from_file(evaluation.model)
    evaluate = build_fed_eval(lambda: model, aggregator=summed)
    watched = WatchedData(data.test.arrays, data.test.client_ids, on_client)
    return evaluate(ModelWeights.from_model(model), watched)
