"""Federated evaluation: every client evaluates the same weights, the metrics are summed securely.

    evaluate = build_fed_eval(model_fn)
    metrics = evaluate(weights, client_data)

    state = evaluate.set_model_weights(evaluate.initialize(), weights)      as in TFF, the same
    state, metrics = evaluate.next(state, client_data)

It trains nothing, and no client's metrics are seen apart from the sum.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from fl import plan, seeds, tff
from fl.aggregators.contribution import Aggregator, Contribution, Session, State, check_dropouts
from fl.aggregators.secure import chosen_sum
from fl.client.compiled_loop import BatchLoop
from fl.client.examples import count_clients, read_examples
from fl.errors import ModelError
from fl.model.keras_models import ModelFn, evaluation_model, weights_of
from fl.model.vector import ModelWeights
from fl.plan import RoundPlan, Terms
from fl.process.federated_process import RoundResult, for_each_client
from fl.process.server_optimizer import ServerState
from fl.progress.watch import watching


@tff.refuses_tff_arguments
def build_fed_eval(
    model_fn: ModelFn,
    *,
    aggregator: Aggregator | None = None,
    batch_size: int = 256,
    input_spec: Any = None,
) -> FedEval:
    """A federated evaluation of models with the architecture of `model_fn`.

    aggregator: None is `SecureSum()`. batch_size: for clients that hold arrays. input_spec: (x, y)
    in `tf.TensorSpec`s, for a model that is not built. Raises ModelError.

    >>> evaluate = fl.build_fed_eval(model_fn)
    >>> metrics = evaluate(model_fn(), clients)
    >>> sorted(metrics["client_work"]["eval"])
    ['accuracy', 'loss', 'num_batches', 'num_examples']
    """
    model = evaluation_model(model_fn, input_spec)
    chosen = chosen_sum(aggregator)
    return FedEval(model, chosen, batch_size)


class FedEval:
    """Call it, `evaluate(weights, client_data)`, or play it as a process: `initialize`, `next`.

    Build it with `build_fed_eval`.
    """

    def __init__(self, model: Any, aggregator: Aggregator, batch_size: int) -> None:
        self._name = model.name
        self._like = ModelWeights.from_model(model)
        self._loop = BatchLoop(model, model.test_step)
        self._aggregator = aggregator
        self._terms = Terms(0, 0, batch_size, 1, False, False, "")

    def __repr__(self) -> str:
        size = self._terms.batch_size
        return (
            f"FedEval(model={self._name!r}, {self._like!r}, batch_size={size}, "
            f"aggregator={self._aggregator!r})"
        )

    if not TYPE_CHECKING:  # a checker still finds what is misspelled

        def __getattr__(self, name: str) -> Any:
            raise tff.missing(type(self).__name__, name, tff.PROCESS)

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

    def next(self, state: ServerState, client_data: Sequence[Any]) -> RoundResult:
        """Evaluate a state's weights: the state after, and the metrics as `__call__` gives them.

        Raises ModelError for a state of a training, whose rounds an evaluation must not count;
        else as `__call__`.
        """
        trained = isinstance(state, ServerState)
        if not trained or state.optimizer:
            seen = "a training" if trained else f"type {type(state).__name__}"
            raise ModelError(
                f"a state of {seen}: one of this evaluation expected, "
                "evaluate.set_model_weights(evaluate.initialize(), state.weights)"
            )
        metrics, carried = self._run(state, client_data)
        after = replace(state, round=state.round + 1, aggregator=carried)
        return RoundResult(after, {"round": after.round, **metrics})

    def __call__(
        self, weights: ModelWeights | keras.Model, client_data: Sequence[Any]
    ) -> dict[str, Any]:
        """Evaluate `weights` on the clients' data; the metrics over all examples as a plain dict.

        weights: those of a state, or a built Keras model that has them.

        A client's metric that is not finite is not in the sum, and is counted under its name.
        Clients without examples, or with data of the wrong form, are left out as in training.

        Raises DataError and NoExamples as training does, ModelError for weights of another model,
        and what the aggregator raises.
        """
        return self._run(self.initialize(weights), client_data)[0]

    @watching()
    def _run(self, state: ServerState, client_data: Sequence[Any]) -> tuple[dict[str, Any], State]:
        """The metrics, and what the aggregator carries on."""
        self._like.check_like(state.weights)
        check_dropouts({}, count_clients(client_data))
        started = time.perf_counter()
        message = plan.write(self._terms, state.weights.to_vector())
        received = [plan.read(message) for _ in range(len(client_data))]
        contributions = for_each_client(
            client_data, lambda client, data: self._evaluate(received[client], client, data)
        )
        evaluated = time.perf_counter()
        contexts = [told.digest for told in received]
        session = Session(
            0,
            0,
            contexts,
            weighted=False,
            state=state.aggregator,
            metrics=self._loop.metrics.parts,
        )
        total = self._aggregator.aggregate(contributions, session)
        metrics = {
            "client_work": {"eval": self._loop.metrics.report(total.metrics)},
            "aggregator": total.report(),
            "seconds": {"eval": evaluated - started, "protocol": total.seconds},
        }
        return metrics, total.state

    def _evaluate(self, received: RoundPlan, client: int, data: Any) -> Contribution | None:
        examples = read_examples(data)
        if not examples.count:
            return None
        rng = np.random.default_rng(0)  # asked for nothing: evaluation does not shuffle
        order, bounds = examples.schedule(
            batch_size=received.terms.batch_size, epochs=1, shuffle=False, rng=rng
        )
        layers = seeds.of_client(0, 0, client, "evaluation")
        _, numbers = self._loop.run(received.weights, layers, examples, order, bounds)
        return Contribution(np.zeros(0, np.float32), 1, numbers)
