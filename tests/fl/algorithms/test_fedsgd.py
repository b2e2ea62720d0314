"""FedSGD is gradient descent on the union of the clients' data."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

import fl
from fl.model.vector import ModelWeights
from tests.helpers.small import arrays, constant, linear, one_weight


def vector(state):
    return state.weights.to_vector()


@pytest.mark.parametrize("aggregator", [fl.PlainSum(), fl.SecureSum(clip=64.0)])
def test_one_weight_by_hand(aggregator):
    # gradient of (w·x - y)² at w = 0 is -2·x·y: -2·4 for one example, -2·(-2) for each of three
    process = fl.build_fed_sgd(
        one_weight, lambda: keras.optimizers.SGD(0.5), aggregator=aggregator, batch_size=2
    )
    state = process.initialize()
    data = [constant(4.0), constant(-2.0, 3)]
    state, metrics = process.next(state, data)
    # mean gradient (-8 + 3·4)/4 = 1, step of 0.5; then w = -0.5: (-9 + 3·3)/4 = 0
    np.testing.assert_array_equal(vector(state), [-0.5])
    assert metrics["finalizer"]["update_norm"] == 1.0
    assert metrics["client_work"]["train"]["num_examples"] == 4
    assert metrics["client_work"]["train"]["num_batches"] == 3
    assert metrics["client_work"]["train"]["loss"] == (16 + 3 * 4) / 4
    np.testing.assert_array_equal(vector(process.next(state, data).state), [-0.5])


@pytest.mark.parametrize("batch_size", [7, 512])
def test_rounds_are_steps_of_keras_on_the_union(batch_size):
    def server():
        return keras.optimizers.SGD(0.5, momentum=0.9)

    clients = [arrays(n, seed=n) for n in (20, 13, 30)]
    process = fl.build_fed_sgd(linear, server, aggregator=fl.PlainSum(), batch_size=batch_size)
    state = process.initialize()
    union = [np.concatenate(parts) for parts in zip(*clients, strict=True)]
    central = linear()
    central.optimizer = server()
    for _ in range(4):
        state = process.next(state, clients).state
        central.train_on_batch(*union)
        expected = ModelWeights.from_model(central).to_vector()
        np.testing.assert_allclose(vector(state), expected, rtol=0, atol=1e-6)


def test_secure_and_plain_agree_within_the_bound(clients):
    states = []
    for aggregator in (fl.PlainSum(), fl.SecureSum()):
        process = fl.build_fed_sgd(linear, lambda: keras.optimizers.SGD(1.0), aggregator=aggregator)
        state, metrics = process.next(process.initialize(), clients, dropouts={2: 1})
        states.append(vector(state))
    bound = metrics["aggregator"]["error_bound"] + 2 * np.spacing(np.abs(states[0]))
    assert (np.abs(states[1] - states[0]) <= bound).all()


def test_statistics_are_averaged_and_a_gradient_that_is_missing_is_zero():
    class Unused(keras.layers.Layer):
        def build(self, shape):
            self.unused = self.add_weight(shape=(2,), initializer="ones")

        def call(self, x):
            return x

    def model_fn():
        model = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.BatchNormalization(momentum=0.0),
                Unused(),
                keras.layers.Dense(3),
            ]
        )
        model.compile(loss="sparse_categorical_crossentropy", jit_compile=False)
        return model

    process = fl.build_fed_sgd(model_fn, aggregator=fl.PlainSum())
    x, y = arrays(16)
    state = process.next(process.initialize(), [(x, y)]).state
    np.testing.assert_allclose(state.weights.non_trainable[0], x.mean(0), atol=1e-6)
    np.testing.assert_array_equal(state.weights.trainable[2], [1, 1])


def test_half_precision_frozen_layers_and_local_statistics():
    def model_fn(policy):
        keras.utils.set_random_seed(4)
        keras.config.set_dtype_policy(policy)
        try:
            body = keras.layers.Dense(5)
            layers = [body, keras.layers.BatchNormalization(), keras.layers.Dense(3)]
            model = keras.Sequential([keras.Input((4,)), *layers])
        finally:
            keras.config.set_dtype_policy("float32")
        body.trainable = False
        model.compile(
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False
        )
        return model

    data = [arrays(9, seed=1), arrays(12, seed=2)]
    states = []
    # under mixed_float16 a loss scale stands around what sums the gradients: it divides it out
    for policy in ("mixed_float16", "float32"):
        process = fl.build_fed_sgd(
            partial(model_fn, policy), aggregator=fl.PlainSum(), non_trainable="local"
        )
        start = process.initialize()
        states.append(process.next(start, data).state)
        for seen, before in zip(
            states[-1].weights.non_trainable, start.weights.non_trainable, strict=True
        ):
            np.testing.assert_array_equal(seen, before)
    np.testing.assert_allclose(vector(states[0]), vector(states[1]), atol=2e-3)
    assert not np.array_equal(states[1].weights.trainable[2], start.weights.trainable[2])


def sequences(layer):
    """Sequences of up to 5 tokens, 0 for none, and a number for each token or each sequence."""

    def model_fn():
        keras.utils.set_random_seed(4)
        layers = [keras.layers.Embedding(7, 3, mask_zero=True), layer()]
        model = keras.Sequential([keras.Input((5,), dtype="int32"), *layers, keras.layers.Dense(1)])
        model.compile(loss="mse", jit_compile=False)
        return model

    return model_fn


def tokens(examples, seed, each):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 6, (examples, 1))
    x = np.where(np.arange(5) < lengths, rng.integers(1, 7, (examples, 5)), 0)
    return x, rng.normal(size=(examples, 5, 1) if each else (examples, 1)).astype(np.float32)


class OfInstances(keras.Model):
    """A subclass of Model: nothing is known of its outputs before it is called."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        return self.inner(x)


def test_a_mask_that_reaches_the_loss_is_refused():
    with pytest.raises(fl.errors.ModelError, match="a mask that reaches the loss"):
        fl.build_fed_sgd(sequences(keras.layers.Identity), aggregator=fl.PlainSum())

    def model_fn():
        model = OfInstances(sequences(keras.layers.Identity)())
        model.compile(loss="mse", jit_compile=False)
        return model

    spec = tf.TensorSpec((None, 5), tf.int32)
    process = fl.build_fed_sgd(model_fn, aggregator=fl.PlainSum(), input_spec=spec)
    for _ in range(2):
        with pytest.raises(fl.errors.ModelError, match="a mask that reaches the loss"):
            process.next(process.initialize(), [tokens(6, 1, True), tokens(4, 2, True)])


def assert_one_step_of_keras(model_fn, clients, batch_size):
    """A round changes the weights as one step of Keras on all examples does."""
    process = fl.build_fed_sgd(
        model_fn, lambda: keras.optimizers.SGD(0.5), aggregator=fl.PlainSum(), batch_size=batch_size
    )
    state = process.next(process.initialize(), clients).state
    central = model_fn()
    central.optimizer = keras.optimizers.SGD(0.5)
    central.train_on_batch(*(np.concatenate(parts) for parts in zip(*clients, strict=True)))
    expected = ModelWeights.from_model(central).to_vector()
    np.testing.assert_allclose(vector(state), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("batch_size", [3, 512])
def test_a_mask_that_ends_before_the_loss_is_none(batch_size):
    model_fn = sequences(keras.layers.GlobalAveragePooling1D)
    clients = [tokens(6, 1, False), tokens(5, 2, False)]
    assert_one_step_of_keras(model_fn, clients, batch_size)


class Adding(keras.layers.Dense):
    """Adds a loss that is a sum over the batch."""

    def call(self, x):
        self.add_loss(keras.ops.sum(x**2))
        return super().call(x)


def with_loss(loss, kind=keras.layers.Dense, **layer):
    def model_fn():
        keras.utils.set_random_seed(4)
        model = keras.Sequential([keras.Input((4,)), kind(1, **layer)])
        model.compile(loss=loss, jit_compile=False)
        return model

    return model_fn


@pytest.mark.parametrize("reduction", ["sum", "none", None, "mean_with_sample_weight"])
def test_a_reduction_that_is_no_mean_over_examples_is_refused(reduction):
    loss = keras.losses.MeanSquaredError(reduction=reduction, name="mine")
    with pytest.raises(fl.errors.ModelError, match=f"loss 'mine', reduction={reduction!r}"):
        fl.build_fed_sgd(with_loss(loss), aggregator=fl.PlainSum())
    with pytest.raises(fl.errors.ModelError, match="loss 'mine'"):
        fl.build_fed_sgd(with_loss({"dense": loss}), aggregator=fl.PlainSum())


def squared_sum(y, prediction):
    return keras.ops.sum((y - prediction) ** 2)


def squared_mean(y, prediction):
    return keras.ops.mean((y - prediction) ** 2)


@pytest.mark.parametrize(
    "model_fn",
    [with_loss(squared_sum), with_loss("mse", kind=Adding)],
    ids=["a sum of the user's own", "a sum by add_loss"],
)
@pytest.mark.parametrize("examples", [1, 6])
def test_a_loss_that_is_a_sum_over_the_batch_is_refused(model_fn, examples):
    process = fl.build_fed_sgd(model_fn, aggregator=fl.PlainSum())
    for _ in range(2):
        with pytest.raises(fl.errors.ModelError, match="not the mean of the losses"):
            process.next(process.initialize(), [arrays(examples), arrays(4)])


class AddingLittle(keras.layers.Dense):
    """Adds a sum over the batch that is small beside the loss."""

    def call(self, x):
        self.add_loss(1e-4 * keras.ops.sum(x**2))
        return super().call(x)


def ratio(y, prediction):
    """Of sums over the batch: a mean of copies of one example, and no mean of different ones."""
    return keras.ops.sum((y - prediction) ** 2) / (1 + keras.ops.sum(prediction**2))


@pytest.mark.parametrize("model_fn", [with_loss("mse", kind=AddingLittle), with_loss(ratio)])
def test_a_loss_that_is_nearly_a_mean_is_refused(model_fn):
    process = fl.build_fed_sgd(model_fn, aggregator=fl.PlainSum())
    with pytest.raises(fl.errors.ModelError, match="not the mean of the losses"):
        process.next(process.initialize(), [arrays(20), arrays(4)])


def test_losses_that_say_nothing_are_asked_again():
    """Of the first client all are zero; in its first and last examples another has none either."""
    zero = with_loss(squared_sum, kernel_initializer="zeros")
    x, _ = arrays(20)
    nothing = np.zeros((20, 1), np.float32)
    middle = nothing.copy()
    middle[5:15] = 1.0
    process = fl.build_fed_sgd(zero, aggregator=fl.PlainSum())
    process.next(process.initialize(), [(x, nothing)] * 2)
    with pytest.raises(fl.errors.ModelError, match="not the mean of the losses"):
        process.next(process.initialize(), [(x, nothing), (x, middle)])


@pytest.mark.parametrize("examples", [1, 2, 20])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_a_mean_near_its_minimum_is_taken(examples, size):
    """Predictions that nearly are the targets: the losses are all rounding, and a mean still."""
    x, _ = arrays(examples)
    near = (x @ with_loss("mse")().get_weights()[0] * size * (1 + 1e-4)).astype(np.float32)
    start = with_loss("mse")
    weights = [size * start().get_weights()[0], np.zeros(1, np.float32)]

    def model_fn():
        model = start()
        model.set_weights(weights)
        return model

    process = fl.build_fed_sgd(model_fn, aggregator=fl.PlainSum())
    process.next(process.initialize(), [(x, near), (x, near)])


@pytest.mark.parametrize(
    "model_fn",
    [
        with_loss(squared_mean),
        with_loss("mse", kernel_regularizer="l2"),
        with_loss("mse", activity_regularizer="l2"),
        with_loss(keras.losses.Huber(reduction="mean")),
    ],
    ids=["a mean of the user's own", "a regularizer", "of the activity", "mean"],
)
@pytest.mark.parametrize("batch_size", [4, 512])
def test_a_mean_over_examples_is_keras_on_the_union(model_fn, batch_size):
    clients = [arrays(n, seed=n) for n in (9, 5)]
    assert_one_step_of_keras(model_fn, clients, batch_size)
