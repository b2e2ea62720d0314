"""FedSGD is one step of Keras on the examples of all clients, whatever the batches; or refused."""

import keras
import numpy as np
import pytest

import fl
from tests.fl.equal.rows_layers import spoken, words
from tests.fl.equal.rows_numbers import SOFTMAX, classes, dense, logits, net, regression, weighted

SIZES = (9, 5, 6)
SUMS = {"plain": fl.PlainSum(), "secure": fl.SecureSum(max_weight=9, clip=100.0)}

ROWS = {
    "classification": (net(dense(6, "relu"), dense(3), **SOFTMAX), classes),
    "penalties": (net(dense(3, kernel_regularizer="l2"), **SOFTMAX), classes),
    "weights": (net(dense(3), loss=logits()), weighted),
    "constraints": (net(dense(3, kernel_constraint="unit_norm"), **SOFTMAX), classes),
    "a large gradient": (net(dense(1)), regression(30.0)),
}
REFUSED = {
    "reduction='sum'": (
        net(dense(1), loss=keras.losses.MeanSquaredError("sum")),
        regression(1.0),
    ),
    "reduction='mean_with_sample_weight'": (
        net(dense(3), loss=logits(reduction="mean_with_sample_weight")),
        weighted,
    ),
    "a mask that reaches the loss": (
        spoken(lambda: keras.layers.GRU(4, return_sequences=True), dense(9), loss=logits()),
        lambda rng, n: (words(rng, n)[0],) * 2,
    ),
}


def stepped(model, data, aggregator, batch_size):
    """The clients, and the state after one round."""
    clients = [data(np.random.default_rng(seed), n) for seed, n in enumerate(SIZES)]
    process = fl.build_fed_sgd(
        lambda: model(None),
        lambda: keras.optimizers.SGD(0.1),
        aggregator=aggregator,
        batch_size=batch_size,
    )
    return clients, process.next(process.initialize(), clients).state


@pytest.mark.slow
@pytest.mark.parametrize(("model", "data"), ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("batch_size", [4, 100])
@pytest.mark.parametrize("aggregator", SUMS.values(), ids=SUMS)
def test_one_step_on_all_examples(model, data, batch_size, aggregator):
    clients, state = stepped(model, data, aggregator, batch_size)
    alone = model(keras.optimizers.SGD(0.1))
    alone.train_on_batch(*(np.concatenate(column) for column in zip(*clients, strict=True)))
    expected = fl.ModelWeights.from_model(alone).to_vector()
    np.testing.assert_allclose(state.weights.to_vector(), expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("named", REFUSED)
def test_a_loss_that_is_no_mean_over_examples_is_refused_by_name(named):
    model, data = REFUSED[named]
    with pytest.raises(fl.errors.ModelError, match=named):
        stepped(model, data, fl.PlainSum(), 4)
