"""A model of one's own: a client trains a copy of the weights, keeps it, and trains it on later.

    mine = w of some round, then whenever the client likes: mine <- strategy(mine, own data)

Nothing is sent: there is no sum in it, and no server. What `fl.build_personalization_eval` says of
a strategy on average is what this does with it on one client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np

from fl import tff
from fl.client.examples import Examples, read_examples
from fl.client.measuring import Measuring
from fl.errors import ModelError, NoExamples
from fl.model.keras_models import (
    InputSpec,
    ModelFn,
    evaluation_model,
    ordinary_model,
    weights_of,
)
from fl.model.vector import ModelWeights, Vector
from fl.personal.tuning import FineTune, Tuner
from fl.plan import RoundPlan
from fl.whole_numbers import whole


class Personalized(NamedTuple):
    """weights: the client's own after training. metrics: of the model in training, before each
    step, as a plain dict. Both are the client's, and stay with it; a `repr` shows no number of
    them."""

    weights: ModelWeights
    metrics: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Personalized({self.weights!r})"


@tff.refuses_tff_arguments
def build_personalization(
    model_fn: ModelFn,
    strategy: FineTune | None = None,
    *,
    batch_size: int = 256,
    seed: int = 0,
    input_spec: InputSpec = None,
) -> Personalization:
    """What a client does with a model of its own: train it, evaluate it, save it.

    model_fn: returns a built, compiled model, another one each time it is called.
    strategy: how to train; None is `FineTune()`, one epoch of the model's own optimizer.
    batch_size: of the evaluation.
    seed: of shuffling and of layers such as dropout.
    input_spec: as for `fl.build_weighted_fed_avg`.

    Raises ModelError for a model, an optimizer, a strategy or a number that cannot be used.

    >>> personalize = fl.build_personalization(model_fn, fl.FineTune(epochs=2, batch_size=10))
    >>> mine, metrics = personalize(model_fn(), clients[0])      # or state.weights
    >>> mine, metrics = personalize(mine, clients[0], round=1)   # later, on
    >>> sorted(metrics)
    ['accuracy', 'loss', 'num_batches', 'num_examples']
    >>> personalize.get_model(mine).save(tmp_path / "mine.keras")
    """
    batch_size = whole("batch_size", batch_size, 1)
    how = FineTune() if strategy is None else strategy
    tuner = Tuner.of(model_fn, how, seed, input_spec)
    make_model = partial(evaluation_model, model_fn, input_spec)
    measured = make_model()
    if measured is tuner.model:
        raise ModelError("model_fn returned one model twice, expected a new one each time")
    return Personalization(tuner, Measuring(measured), batch_size, make_model)


class Personalization:
    """Call it to train: `mine, metrics = personalize(mine, data)`. Build it with
    `build_personalization`; one serves any number of clients, one after another."""

    def __init__(
        self,
        tuner: Tuner,
        measuring: Measuring,
        batch_size: int,
        make_model: partial[keras.Model],
    ) -> None:
        self._tuner = tuner
        self._measuring = measuring
        self._batch_size = batch_size
        self._make_model = make_model

    def __repr__(self) -> str:
        terms = self._tuner.terms
        return (
            f"Personalization(model={self._tuner.model.name!r}, {self._like!r}, "
            f"batch_size={terms.batch_size}, epochs={terms.epochs})"
        )

    def __call__(
        self,
        weights: ModelWeights | keras.Model,
        data: object,
        *,
        round: int = 0,
        client: int = 0,
    ) -> Personalized:
        """Train a copy of `weights` on a client's data; `weights` are left as they are.

        weights: those of a round, the client's own of before, or a built Keras model that has them,
            such as one that was saved.
        data: in any form that training takes.
        round, client: whole numbers that choose the shuffling and the draws of dropout: give each
            training of a client another round, and in a simulation each client its number. The same
            numbers give the same weights.

        The optimizer begins anew each time, as in a round.

        Raises DataError, NoExamples for data without one, ModelError for weights of another model,
        other numbers, and where the weights after training are not finite.
        """
        round, client = whole("round", round, 0), whole("client", client, 0)
        before, examples = self._vector(weights), _some(data)
        terms = replace(self._tuner.terms, round=round)
        after, numbers = self._tuner.tuned(RoundPlan(terms, before, b""), client, examples)
        if not np.isfinite(after).all():
            raise ModelError(
                "weights that are not finite after training, expected finite ones: with another "
                "learning rate, or other data"
            )
        trainable, non_trainable = self._like.split(after)
        mine = ModelWeights(tuple(trainable), tuple(non_trainable), self._like.order)
        return Personalized(mine, self._tuner.metrics.report(numbers))

    def evaluate(self, weights: ModelWeights | keras.Model, data: object) -> dict[str, Any]:
        """The metrics of weights on a client's data, as a plain dict; nothing is trained.

        Raises DataError, NoExamples for data without one, ModelError for weights of another model.
        """
        vector, examples = self._vector(weights), _some(data)
        numbers = self._measuring.measure(vector, 0, examples, self._batch_size)
        return self._measuring.metrics.report(numbers)

    def get_model(self, weights: ModelWeights | keras.Model) -> keras.Model:
        """An ordinary Keras model with these weights, as `model_fn` compiled it: the caller's own,
        to save, to predict with, and to train on by Keras alone. Raises ModelError."""
        model = ordinary_model(self._make_model(), in_use=False)
        weights_of(weights).assign_weights_to(model)
        return model

    @property
    def _like(self) -> ModelWeights:
        return self._tuner.trainer.initial_weights

    def _vector(self, weights: ModelWeights | keras.Model) -> Vector:
        return self._like.arranged(weights_of(weights)).to_vector()


def _some(data: object) -> Examples:
    examples = read_examples(data)
    if not examples.count:
        raise NoExamples("data without an example, expected at least one")
    return examples
