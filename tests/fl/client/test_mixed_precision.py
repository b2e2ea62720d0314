"""Half precision: a client trains on every batch whose gradient some loss scale can hold."""

import keras
import numpy as np
import pytest

import fl
from fl.client.examples import read_examples
from fl.client.local_training import LocalTrainer
from fl.model.vector import ModelWeights
from tests.helpers.small import plan_for

RNG = np.random.default_rng(2)
X = RNG.normal(size=(16, 4)).astype(np.float32)
Y = (X @ np.float32([[1], [-2], [3], [1]]) * 30).astype(
    np.float32
)  # at 2^15 its gradient overflows


def half(optimizer=None):
    keras.utils.set_random_seed(4)
    policy = {"dtype": "mixed_float16"}
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, activation="tanh", **policy),
            keras.layers.BatchNormalization(momentum=0.5, **policy),
            keras.layers.Dropout(0.5, **policy),
            keras.layers.Dense(1, dtype="float32"),
        ]
    )
    model.dtype_policy = keras.DTypePolicy("mixed_float16")
    model.compile(optimizer or keras.optimizers.Adam(0.01), loss="mse", jit_compile=False)
    return model


def scaled(scale):
    return keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01), initial_scale=scale)


def process(model_fn=half, optimizer_fn=None, build=fl.build_weighted_fed_avg, **options):
    options = {"aggregator": fl.PlainSum(), "batch_size": 8, **options}
    args = (optimizer_fn,) if optimizer_fn else ()
    return build(model_fn, *args, **options)


def one_round(process, data):
    state = process.initialize()
    after, metrics = process.next(state, data)
    change = after.weights.to_vector() - state.weights.to_vector()
    return change, metrics["client_work"]["train"]


def test_a_client_with_two_batches_takes_both_steps():
    central = half()
    assert isinstance(central.optimizer, keras.optimizers.LossScaleOptimizer)
    for start in (0, 8):  # in Keras, too few batches to find the scale
        central.train_on_batch(X[start : start + 8], Y[start : start + 8])
    assert central.optimizer.iterations.numpy() == 0

    trainer = LocalTrainer(half())
    told = plan_for(trainer, epochs=1)
    trainer.train(told, 0, read_examples((X, Y)))
    assert trainer.model.optimizer.iterations.numpy() == 2
    assert trainer.trace_count == 1
    change, train = one_round(process(), [(X, Y), (X[:8], Y[:8])])
    assert np.abs(change[:25]).max() > 0.005
    assert (train["num_batches"], train["num_skipped"]) == (3, 0)
    assert np.isfinite(train["loss"])


def test_tries_leave_no_trace_in_statistics_metrics_or_dropout():
    """The scale is searched from 2^15 down: the pass is that of Keras from the scale found."""
    trainer = LocalTrainer(half())
    told = plan_for(trainer, epochs=1, shuffle=False)
    found = trainer.train(told, 0, read_examples((X, Y)))
    scale = float(trainer.model.optimizer.dynamic_scale.numpy())
    assert scale < 2**14
    assert found.delta[:25].any()
    direct = LocalTrainer(half(scaled(scale)))
    told = plan_for(direct, epochs=1, shuffle=False)
    expected = direct.train(told, 0, read_examples((X, Y)))
    np.testing.assert_array_equal(found.delta, expected.delta)
    np.testing.assert_array_equal(found.metrics, expected.metrics)


def test_where_the_first_scale_works_it_is_fit():
    def plainly():
        model = half(scaled(4.0))
        model.layers[2].rate = 0.0
        return model

    central = plainly()
    central.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    federated = process(plainly, epochs=3, shuffle=False)
    state = federated.next(federated.initialize(), [(X, Y)]).state
    trained = ModelWeights.from_model(central).to_vector()
    np.testing.assert_allclose(state.weights.to_vector(), trained, atol=2e-4)


def test_a_batch_without_a_finite_gradient_is_skipped_and_counted():
    spoiled = Y.copy()
    spoiled[3] = np.inf
    trainer = LocalTrainer(half())
    told = plan_for(trainer, epochs=1, shuffle=False)
    contribution = trainer.train(told, 0, read_examples((X, spoiled)))
    assert contribution.metrics[2] == 1
    assert trainer.model.optimizer.iterations.numpy() == 1  # the second batch trained
    assert np.isfinite(contribution.delta).all()
    assert trainer.model.optimizer.dynamic_scale.numpy() > 1


def test_moving_averages_of_a_client_that_took_no_step():
    averaging = keras.optimizers.Adam(0.01, use_ema=True)
    trainer = LocalTrainer(half(averaging))
    data = read_examples((X, np.full_like(Y, np.inf)))
    contribution = trainer.train(plan_for(trainer, epochs=1), 0, data)
    assert contribution.metrics[2] == 2
    np.testing.assert_array_equal(contribution.delta[:25], np.zeros(25))


def test_an_optimizer_with_a_scale_gets_no_second_one():
    change, train = one_round(process(optimizer_fn=lambda: scaled(256.0)), [(X, Y)])
    assert np.abs(change[:25]).max() > 0.005
    assert train["num_skipped"] == 0


@pytest.mark.parametrize("batch_size", [4, 16])
def test_the_gradient_is_that_of_all_batches(batch_size):
    def bare():
        keras.utils.set_random_seed(4)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, dtype="mixed_float16")])
        model.dtype_policy = keras.DTypePolicy("mixed_float16")
        model.compile("sgd", loss="mse", jit_compile=False)
        return model

    federated = process(bare, build=fl.build_fed_sgd, batch_size=batch_size)
    change, train = one_round(federated, [(X, Y)])
    kernel = bare().get_weights()[0]
    error = X @ kernel - Y
    gradient = np.append(2 * (X * error).mean(axis=0), 2 * error.mean())
    np.testing.assert_allclose(change, -0.1 * gradient, rtol=5e-3)
    assert train["num_skipped"] == 0


@pytest.mark.filterwarnings("ignore:. clients count for nothing")
def test_a_gradient_that_is_not_finite_counts_for_nothing():
    spoiled = Y.copy()
    spoiled[3] = np.inf
    federated = process(build=fl.build_fed_sgd, batch_size=4)
    metrics = federated.next(federated.initialize(), [(X, Y), (X, spoiled)]).metrics
    assert metrics["finalizer"]["update_non_finite"] == 1
