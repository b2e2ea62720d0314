"""Federated evaluation: every client evaluates the same weights, the metrics are summed securely.

It trains nothing, and no client's metrics are seen apart from the sum.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from fl import plan
from fl.contribution import Aggregator, Contribution, Session, check_dropouts
from fl.examples import count_clients, read_examples
from fl.loop import BatchLoop
from fl.models import ModelFn, evaluation_model
from fl.plan import RoundPlan, Terms, seed_sequence
from fl.process import for_each_client
from fl.sums import chosen_sum
from fl.vector import ModelWeights


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
    """
    model = evaluation_model(model_fn, input_spec)
    chosen = chosen_sum(aggregator)
    return FedEval(model, chosen, batch_size)


class FedEval:
    """Call it: `evaluate(weights, client_data)`. Build it with `build_fed_eval`."""

    def __init__(self, model: Any, aggregator: Aggregator, batch_size: int) -> None:
        self._like = ModelWeights.from_model(model)
        self._loop = BatchLoop(model, model.test_step)
        self._aggregator = aggregator
        self._terms = Terms(0, 0, batch_size, 1, False, False, "")

    def __call__(self, weights: ModelWeights, client_data: Sequence[Any]) -> dict[str, Any]:
        """Evaluate `weights` on the clients' data; the metrics over all examples as a plain dict.

        A client's metric that is not finite is not in the sum, and is counted under its name.

        Raises DataError for data of the wrong form, ModelError for weights of another model, and
        what the aggregator raises.
        """
        weights = self._like.arranged(weights)
        check_dropouts({}, count_clients(client_data))
        started = time.perf_counter()
        message = plan.write(self._terms, weights.to_vector())
        received = [plan.read(message) for _ in range(len(client_data))]
        contributions = for_each_client(
            client_data, lambda client, data: self._evaluate(received[client], client, data)
        )
        evaluated = time.perf_counter()
        contexts = [told.digest for told in received]
        session = Session(0, 0, contexts, weighted=False, metrics=self._loop.metrics.parts)
        total = self._aggregator.aggregate(contributions, session)
        return {
            "client_work": {"eval": self._loop.metrics.report(total.metrics)},
            "aggregator": total.report(),
            "seconds": {"eval": evaluated - started, "protocol": total.seconds},
        }

    def _evaluate(self, received: RoundPlan, client: int, data: Any) -> Contribution:
        examples = read_examples(data)
        rng = np.random.default_rng(0)  # asked for nothing: evaluation does not shuffle
        order, bounds = examples.schedule(
            batch_size=received.terms.batch_size, epochs=1, shuffle=False, rng=rng
        )
        layers = seed_sequence(0, 0, client, "evaluation")
        _, numbers = self._loop.run(received.weights, layers, examples, order, bounds)
        return Contribution(np.zeros(0, np.float32), 1, numbers)
