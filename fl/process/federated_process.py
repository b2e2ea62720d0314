"""A federated process: initialize, then one `next` a round.

    state -> server half -> message -> client half, for every client -> sum -> server half -> state

What a client does locally is the trainer's; the modules of `algorithms` build processes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import keras

from fl import tff
from fl.aggregators.interface import Aggregator
from fl.client.examples import count_clients, read_examples
from fl.client.local_training import LocalTrainer
from fl.client.trainer_pool import TrainerPool
from fl.client.training import TrainingWork
from fl.model.keras_models import ordinary_model, weights_of
from fl.model.vector import ModelWeights
from fl.plan import Terms
from fl.process.client_half import ClientHalf
from fl.process.server_half import ServerHalf
from fl.process.server_optimizer import ServerOptimizer, ServerState
from fl.process.simulation import play
from fl.process.training_server import LearningRate, RoundResult, TrainingServer


class FederatedProcess(tff.NamesWhatReplaces):
    """A training in rounds: build it with a builder, such as `build_weighted_fed_avg`.

    `next` plays a round in one process. `client_half` and `server_half` are the same round in two
    halves, for machines of their own: docs/decisions/0012-the-round-in-two-halves.md.

    >>> process = fl.build_weighted_fed_avg(model_fn)
    >>> process
    FederatedProcess(model=..., client: SGD, batch_size=32, epochs=1, weighted=True, ...)
    >>> message = process.server_half.message(process.initialize())
    >>> process.client_half.read(message).kind
    'training'
    """

    _replacements = tff.PROCESS

    def __init__(
        self,
        trainer: LocalTrainer | TrainerPool,
        server: ServerOptimizer,
        aggregator: Aggregator,
        terms: Terms,
        make_model: Callable[[], keras.Model],
        client_learning_rate: LearningRate | None,
    ) -> None:
        self._trainer = trainer
        self._server = server
        self._aggregator = aggregator
        self._terms = terms
        self._make_model = make_model
        self._server_work = TrainingServer(server, trainer, terms, client_learning_rate)

    def __repr__(self) -> str:
        model = self._trainer.model.name
        optimizer = json.loads(self._terms.optimizer)["class_name"]  # of FedProx: Proximal
        return (
            f"FederatedProcess(model={model!r}, {self._trainer.initial_weights!r}, "
            f"client: {optimizer}, "
            f"batch_size={self._terms.batch_size}, epochs={self._terms.epochs}, "
            f"weighted={self._terms.weighted}, aggregator={self._aggregator!r})"
        )

    @property
    def client_half(self) -> ClientHalf:
        """What a client does of a round, on whatever machine it is."""
        return ClientHalf(TrainingWork(self._trainer), self._aggregator)

    @property
    def server_half(self) -> ServerHalf[ServerState, RoundResult]:
        """What the server does of a round. One that trains nobody itself needs `trace` before."""
        return ServerHalf(self._server_work, self._aggregator)

    def trace(self, data: object) -> None:
        """Learn from examples of the clients' form, such as a row of zeros, what metrics and
        weights a step of the model has. Nothing is trained. Raises DataError, ModelError."""
        self._trainer.trace(read_examples(data))

    def initialize(self, weights: ModelWeights | keras.Model | None = None) -> ServerState:
        """The state before the first round, with `weights` or those that `model_fn` made.

        weights: those of a state, or a built Keras model that has them. Other layers may be frozen
            where they are from.

        Raises ModelError where the shapes differ.
        """
        given = self._trainer.initial_weights if weights is None else weights_of(weights)
        return self._server.initialize(given)

    def next(
        self,
        state: ServerState,
        client_data: Sequence[object],
        *,
        dropouts: Mapping[int, int] | None = None,
    ) -> RoundResult:
        """One round with these clients; `state` is left as it is, whatever happens.

        client_data: one entry a client: (x, y[, sample_weight]) arrays, a finite tf.data.Dataset,
            a keras.utils.PyDataset, a list of batches, or a function that makes one of these or a
            generator of batches. x, y and sample_weight are what `fit` takes.
        dropouts: client index -> the protocol round (0..4) from which that client is gone. Gone at
            round 0, 1 or 2 it is not in the sum; at 3 or 4 it is.

        A client counts for nothing whose update is not finite, whose weight is beyond `max_weight`,
        who has no examples, or data of the wrong form, as long as more clients have examples than
        data of the wrong form; and a metric that is not finite does not count. All are counted in
        the metrics. Warns (SumWarning) of data of the wrong form, of weights beyond `max_weight`,
        and of a part of the coordinates being clipped.

        Raises DataError where as many clients have data of the wrong form as others have examples,
        NoExamples where none has an example, AggregationError for input that cannot be summed,
        ImplausibleSum for a sum that no honest clients give, secagg.TooFewClients when fewer
        clients finish than the threshold.
        """
        self._server.check(state)
        count_clients(client_data)
        return play(self.client_half, self.server_half, state, client_data, dropouts)

    def get_model(self, state: ServerState) -> keras.Model:
        """An ordinary Keras model with the weights of a state, as `model_fn` compiled it.

        Compiled without an optimizer, it has plain SGD now, for whoever trains it on. It is the
        caller's own: later rounds do not change it.
        """
        self._server.check(state)
        model = self._make_model()
        # In use where model_fn gives the same model whenever it is called.
        model = ordinary_model(model, in_use=model is self._trainer.model)
        state.weights.assign_weights_to(model)
        return model

    def get_model_weights(self, state: ServerState) -> ModelWeights:
        """The weights of a state."""
        return state.weights

    def set_model_weights(
        self, state: ServerState, weights: ModelWeights | keras.Model
    ) -> ServerState:
        """The same state with other weights. Raises ModelError where the shapes differ."""
        return replace(state, weights=self._server.arranged(weights_of(weights)))
