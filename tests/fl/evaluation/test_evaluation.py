"""Federated evaluation, and which metrics add up across clients."""

import keras
import numpy as np
import pytest

import fl
from fl.model.vector import ModelWeights
from tests.helpers.small import arrays, compiled, linear


def classifier(metrics):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(loss="binary_crossentropy", metrics=metrics, jit_compile=False)
    return model


def binary(examples, seed):
    x, y = arrays(examples, seed)
    return x, (y > 0).astype(np.float32)[:, None]


@pytest.mark.parametrize("aggregator", [fl.PlainSum(), fl.SecureSum()], ids=["plain", "secure"])
def test_metrics_over_clients_are_keras_own_over_all_examples_together(aggregator):
    def model_fn():
        return classifier(
            [
                "binary_accuracy",
                keras.metrics.AUC(num_thresholds=20, name="auc"),
                keras.metrics.Precision(name="precision"),
                keras.metrics.Recall(name="recall"),
                keras.metrics.TruePositives(name="hits"),
                keras.metrics.RootMeanSquaredError(),
                keras.metrics.F1Score(),
            ]
        )

    clients = [binary(n, seed=n) for n in (40, 7, 23)]
    evaluate = fl.build_fed_eval(model_fn, aggregator=aggregator, batch_size=16)
    model = model_fn()
    seen = evaluate(ModelWeights.from_model(model), clients)["client_work"]["eval"]
    assert (seen.pop("num_examples"), seen.pop("num_batches")) == (70, 3 + 1 + 2)
    together = [np.concatenate(parts) for parts in zip(*clients, strict=True)]
    expected = model.test_on_batch(*together, return_dict=True)
    assert set(seen) == set(expected)
    for name, value in seen.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, err_msg=name)


class Largest(keras.metrics.Metric):
    """The largest output: a maximum, which no sum of states gives."""

    def __init__(self):
        super().__init__(name="largest")
        self.value = self.add_variable((), "zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.value.assign(keras.ops.maximum(self.value, keras.ops.max(y_pred)))

    def result(self):
        return self.value


def test_a_metric_that_does_not_add_up_is_refused_by_name():
    evaluate = fl.build_fed_eval(lambda: classifier([Largest(), "mae"]), aggregator=fl.PlainSum())
    weights = ModelWeights.from_model(classifier([]))
    with pytest.raises(fl.errors.MetricError, match="'largest' does not add up"):
        evaluate(weights, [binary(8, 0), binary(8, 1)])


def test_evaluation_sees_the_trained_weights(plain, clients):
    state = plain.initialize()
    evaluate = fl.build_fed_eval(linear, aggregator=fl.PlainSum())
    losses = []
    for _ in range(4):
        losses.append(evaluate(state.weights, clients)["client_work"]["eval"]["loss"])
        state = plain.next(state, clients).state
    assert losses == sorted(losses, reverse=True)


def test_evaluation_needs_weights_that_fit():
    evaluate = fl.build_fed_eval(linear, aggregator=fl.PlainSum())
    other = ModelWeights.from_model(compiled(classifier([])))
    with pytest.raises(fl.errors.ModelError, match="trainable"):
        evaluate(other, [arrays(4), arrays(4)])
