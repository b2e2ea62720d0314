"""Personalization evaluation (Wang et al. 2019): does it pay to fine-tune the model locally?

    for each strategy: train a copy of the weights on the client's training data, evaluate it on
    the client's test data; beside it the weights as they are, the baseline

The metrics of all clients are summed securely, and so is the number of clients for whom a strategy
made the loss smaller. The fine-tuned weights never leave the client. The server's do not change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras

from fl import tff
from fl.aggregators.interface import Aggregator
from fl.aggregators.secure import chosen_sum
from fl.client.examples import count_clients
from fl.client.measuring import Measuring
from fl.errors import ModelError
from fl.evaluation.fine_tuning import (
    BASELINE,
    FineTuningServer,
    FineTuningWork,
)
from fl.model.keras_models import InputSpec, ModelFn, evaluation_model
from fl.model.vector import ModelWeights
from fl.personal.tuning import FineTune, Tuner
from fl.process.client_half import ClientHalf
from fl.process.reports import EvaluationMetrics
from fl.process.server_half import ServerHalf
from fl.process.simulation import play


@tff.refuses_tff_arguments
def build_personalization_eval(
    model_fn: ModelFn,
    strategies: Mapping[str, FineTune],
    *,
    aggregator: Aggregator | None = None,
    batch_size: int = 256,
    seed: int = 0,
    input_spec: InputSpec = None,
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
        raise ModelError(
            f"strategies {sorted(strategies)}, expected some, none of them called {BASELINE!r}"
        )
    tuners = {name: Tuner.of(model_fn, how, seed, input_spec) for name, how in strategies.items()}
    model = evaluation_model(model_fn, input_spec)
    if any(tuner.model is model for tuner in tuners.values()):
        raise ModelError("model_fn returned one model twice, expected a new one each time")
    chosen = chosen_sum(aggregator)
    return PersonalizationEval(model, tuners, chosen, batch_size)


class PersonalizationEval:
    """Call it: `evaluate(weights, client_data)`. Build it with `build_personalization_eval`."""

    def __init__(
        self,
        model: keras.Model,
        tuners: Mapping[str, Tuner],
        aggregator: Aggregator,
        batch_size: int,
    ) -> None:
        self._name = model.name
        self._like = ModelWeights.from_model(model)
        self._strategies = list(tuners)
        self._aggregator = aggregator
        measuring = Measuring(model)
        self._work = FineTuningWork(measuring, tuners)
        self._server_work = FineTuningServer(
            measuring, {name: tuner.terms for name, tuner in tuners.items()}, batch_size
        )

    def __repr__(self) -> str:
        return (
            f"PersonalizationEval(model={self._name!r}, {self._like!r}, "
            f"strategies={self._strategies}, aggregator={self._aggregator!r})"
        )

    @property
    def client_half(self) -> ClientHalf:
        """What a client does of the evaluation, on whatever machine it is."""
        return ClientHalf(self._work, self._aggregator)

    @property
    def server_half(self) -> ServerHalf[ModelWeights, EvaluationMetrics]:
        """What the server does of the evaluation."""
        return ServerHalf(self._server_work, self._aggregator)

    def __call__(
        self,
        weights: ModelWeights,
        client_data: Sequence[Mapping[str, object]],
        *,
        dropouts: Mapping[int, int] | None = None,
    ) -> EvaluationMetrics:
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
        count_clients(client_data)
        return play(self.client_half, self.server_half, weights, client_data, dropouts)
