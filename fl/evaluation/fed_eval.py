"""Federated evaluation: every client evaluates the same weights, the metrics are summed securely.

    evaluate = build_fed_eval(model_fn)
    metrics = evaluate(weights, client_data)

    state = evaluate.set_model_weights(evaluate.initialize(), weights)      as in TFF, the same
    state, metrics = evaluate.next(state, client_data)

It trains nothing, and no client's metrics are seen apart from the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import keras

from fl import tff
from fl.aggregators.interface import Aggregator
from fl.aggregators.secure import chosen_sum
from fl.client.examples import count_clients, read_examples
from fl.client.measuring import Measuring
from fl.errors import ModelError
from fl.evaluation.halves import EvaluationServer, EvaluationWork
from fl.model.keras_models import InputSpec, ModelFn, evaluation_model, weights_of
from fl.model.vector import ModelWeights
from fl.process.client_half import ClientHalf
from fl.process.reports import EvaluationMetrics
from fl.process.server_half import ServerHalf
from fl.process.server_optimizer import ServerState
from fl.process.simulation import play
from fl.process.training_server import RoundResult


@tff.refuses_tff_arguments
def build_fed_eval(
    model_fn: ModelFn,
    *,
    aggregator: Aggregator | None = None,
    batch_size: int = 256,
    input_spec: InputSpec = None,
) -> FedEval:
    """A federated evaluation of models with the architecture of `model_fn`.

    aggregator: None is `SecureSum()`.
    batch_size: for clients that hold arrays.
    input_spec: (x, y) in `tf.TensorSpec`s, for a model that is not built.

    Raises ModelError.

    >>> evaluate = fl.build_fed_eval(model_fn)
    >>> metrics = evaluate(model_fn(), clients)
    >>> sorted(metrics["client_work"]["eval"])
    ['accuracy', 'loss', 'num_batches', 'num_examples']
    """
    model = evaluation_model(model_fn, input_spec)
    chosen = chosen_sum(aggregator)
    return FedEval(model, chosen, batch_size)


class FedEval(tff.NamesWhatReplaces):
    """Call it, `evaluate(weights, client_data)`, or play it as a process: `initialize`, `next`.

    Build it with `build_fed_eval`.
    """

    _replacements = tff.PROCESS

    def __init__(self, model: keras.Model, aggregator: Aggregator, batch_size: int) -> None:
        self._name = model.name
        self._like = ModelWeights.from_model(model)
        self._measuring = Measuring(model)
        self._aggregator = aggregator
        self._batch_size = batch_size
        self._server_work = EvaluationServer(self._measuring, batch_size)

    def __repr__(self) -> str:
        return (
            f"FedEval(model={self._name!r}, {self._like!r}, batch_size={self._batch_size}, "
            f"aggregator={self._aggregator!r})"
        )

    @property
    def client_half(self) -> ClientHalf:
        """What a client does of an evaluation, on whatever machine it is."""
        return ClientHalf(EvaluationWork(self._measuring), self._aggregator)

    @property
    def server_half(self) -> ServerHalf[ServerState, RoundResult]:
        """What the server does of an evaluation. One that evaluates nothing itself needs `trace`
        before."""
        return ServerHalf(self._server_work, self._aggregator)

    def trace(self, data: object) -> None:
        """Learn from examples of the clients' form, such as a row of zeros, what metrics there are.
        Raises DataError, ModelError."""
        self._measuring.trace(read_examples(data))

    def initialize(self, weights: ModelWeights | keras.Model | None = None) -> ServerState:
        """The state before the first evaluation, with `weights` or those that `model_fn` made.

        Its `round` counts evaluations; it has no optimizer. Raises ModelError.
        """
        return self.set_model_weights(
            ServerState(self._like, (), 0), self._like if weights is None else weights
        )

    def get_model_weights(self, state: ServerState) -> ModelWeights:
        """The weights of a state."""
        return state.weights

    def set_model_weights(
        self, state: ServerState, weights: ModelWeights | keras.Model
    ) -> ServerState:
        """The same state with other weights. Raises ModelError where the shapes differ."""
        return replace(state, weights=self._like.arranged(weights_of(weights)))

    def next(self, state: ServerState, client_data: Sequence[object]) -> RoundResult:
        """Evaluate a state's weights: the state after, and the metrics as `__call__` gives them.

        Raises ModelError for a state of a training, whose rounds an evaluation must not count;
        else as `__call__`.
        """
        trained = isinstance(state, ServerState)
        if not trained or state.optimizer:
            seen = "a training" if trained else f"type {type(state).__name__}"
            raise ModelError(
                f"a state of {seen}, expected one of this evaluation, "
                "evaluate.set_model_weights(evaluate.initialize(), state.weights)"
            )
        return self._play(state, client_data)

    def __call__(
        self, weights: ModelWeights | keras.Model, client_data: Sequence[object]
    ) -> EvaluationMetrics:
        """Evaluate `weights` on the clients' data; the metrics over all examples as a plain dict.

        weights: those of a state, or a built Keras model that has them.

        A client's metric that is not finite is not in the sum, and is counted under its name.
        Clients without examples, or with data of the wrong form, are left out as in training.

        Raises DataError and NoExamples as training does, ModelError for weights of another model,
        and what the aggregator raises.
        """
        _, metrics = self._play(self.initialize(weights), client_data)
        return EvaluationMetrics(
            client_work=metrics["client_work"],
            aggregator=metrics["aggregator"],
            seconds=metrics["seconds"],
        )

    def _play(self, state: ServerState, client_data: Sequence[object]) -> RoundResult:
        self._like.check_like(state.weights)
        count_clients(client_data)
        return play(self.client_half, self.server_half, state, client_data)
