"""Local training is bitwise what Keras's own `train_on_batch` does on the same batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import fl
from fl import plan, seeds
from fl.client.examples import read_examples
from fl.client.local_training import LocalTrainer
from fl.model.keras_models import build
from fl.model.vector import ModelWeights
from fl.plan import Terms
from tests.helpers.small import Counting, arrays, compiled, linear, plan_for


class Reference:
    """Keras's own `train_on_batch`, from given weights and a fresh optimizer every time.

    It has first seen two sizes of batch. Traced for one size alone, TensorFlow turns the division
    by that size into a product with its reciprocal, which is off in the last bit where the size is
    not a power of two; traced for every size, as here and in the trainer, it divides.
    """

    def __init__(self, model):
        self.model = model
        model.optimizer.build(model.trainable_variables)
        self.state = model.non_trainable_variables + model.optimizer.variables
        self.start = [v.numpy() for v in self.state]
        for size in (2, 3):
            model.train_on_batch(*arrays(size))

    def update(self, weights, batches, layers=None):
        for variable, value in zip(self.state, self.start, strict=True):
            variable.assign(value)
        weights.assign_weights_to(self.model)
        self._seed(layers)
        for batch in batches:
            self.model.train_on_batch(*batch)
        after = ModelWeights.from_model(self.model)
        trained = [a - b for a, b in zip(after.trainable, weights.trainable, strict=True)]
        return ModelWeights(tuple(trained), after.non_trainable).to_vector()

    def _seed(self, layers):
        generators = [v for v in self.model.variables if v.path.endswith("seed_generator_state")]
        if generators:
            for generator, seed in zip(
                generators, layers.generate_state(len(generators)), strict=True
            ):
                generator.assign([seed, 0])


def sequential(*layers):
    keras.utils.set_random_seed(5)
    return keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(3)])


MODELS = {
    "dropout, momentum": lambda: compiled(
        sequential(keras.layers.Dense(8), keras.layers.Dropout(0.5), keras.layers.Dropout(0.2)),
        keras.optimizers.SGD(0.1, momentum=0.9),
    ),
    "batch norm, adam": lambda: compiled(
        sequential(keras.layers.Dense(8), keras.layers.BatchNormalization()),
        keras.optimizers.Adam(0.01),
    ),
    "integer weight, schedule": lambda: compiled(
        sequential(Counting()),
        keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)),
    ),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_bitwise_equal_to_train_on_batch_for_one_client_after_another(make):
    trainer, reference = LocalTrainer(make()), Reference(make())
    told = plan_for(trainer)
    for client, count in enumerate((21, 8, 3)):  # ragged, exact, and less than one batch
        examples = read_examples(arrays(count, seed=client))
        result = trainer.train(told, client, examples)

        shuffling = np.random.default_rng(seeds.of_client(7, 2, client, "shuffle"))
        epochs = [shuffling.permutation(count) for _ in range(2)]
        batches = [
            [array[epoch[start : start + 8]] for array in examples.arrays]
            for epoch in epochs
            for start in range(0, count, 8)
        ]
        layers = seeds.of_client(7, 2, client, "layers")
        expected = reference.update(trainer.initial_weights, batches, layers)
        update = np.concatenate([result.delta, result.statistics])
        np.testing.assert_array_equal(update, expected, strict=True)
    assert trainer.trace_count == 1


def test_training_the_same_client_again_changes_nothing():
    trainer = LocalTrainer(MODELS["dropout, momentum"]())
    told, examples = plan_for(trainer), read_examples(arrays(21))
    first = trainer.train(told, 0, examples)
    other = trainer.train(told, 1, examples)
    again = trainer.train(told, 0, examples)
    np.testing.assert_array_equal(first.delta, again.delta, strict=True)
    np.testing.assert_array_equal(first.metrics, again.metrics, strict=True)
    assert not np.array_equal(first.delta, other.delta)  # its own shuffling, its own dropout masks


class OwnStep(keras.Model):
    """A model with its own train_step: plain gradient descent on the squared output."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.seen = keras.metrics.Mean(name="seen")

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x = data[0]
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self(x, training=True) ** 2)
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        self.seen.update_state(loss)
        return {"seen": self.seen.result()}


def test_a_train_step_of_the_users_own_is_used():
    def make():
        keras.utils.set_random_seed(2)
        model = OwnStep()
        build(model, tf.TensorSpec((None, 4)))
        model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
        return model

    trainer = LocalTrainer(make())
    x, y = arrays(12)
    result = trainer.train(plan_for(trainer, shuffle=False, epochs=1), 0, read_examples((x, y)))
    batches = [(x[:8], y[:8]), (x[8:], y[8:])]
    expected = Reference(make()).update(trainer.initial_weights, batches)
    np.testing.assert_array_equal(result.delta, expected, strict=True)


@pytest.fixture(scope="module")
def trainer():
    return LocalTrainer(linear())


def forms(x, y):
    """The same 12 examples in batches of 8 and 4, in every form that has batches of its own."""
    pairs = [(x[:8], y[:8]), (x[8:], y[8:])]
    named = [{"x": x, "y": y} for x, y in pairs]
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    return [pairs, named, dataset, dataset.map(lambda x, y: {"x": x, "y": y})]


# `pytest.warns` gives on, as of no module, what TensorFlow's tracing warns of on Python 3.13.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("form", range(4))
def test_every_form_of_client_data_trains_alike(trainer, form):
    x, y = arrays(12)
    free = trainer.train(
        plan_for(trainer, shuffle=False, epochs=1), 0, read_examples({"x": x, "y": y})
    )
    # batch_size, epochs and shuffle do not apply to data that come in batches
    told = plan_for(trainer, shuffle=True, epochs=3, batch_size=5)
    with pytest.warns(UserWarning, match="epochs=3 with batches that are fixed"):
        fixed = trainer.train(told, 0, read_examples(forms(x, y)[form]))
    np.testing.assert_array_equal(free.delta, fixed.delta, strict=True)
    np.testing.assert_array_equal(free.metrics, fixed.metrics, strict=True)


def test_a_dataset_that_repeats_is_two_passes(trainer):
    x, y = arrays(12)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(8).repeat(2)
    twice = trainer.train(plan_for(trainer, epochs=1), 0, read_examples(dataset))
    epochs = trainer.train(plan_for(trainer, shuffle=False), 0, read_examples((x, y)))
    np.testing.assert_array_equal(twice.delta, epochs.delta, strict=True)
    assert (twice.weight, epochs.weight) == (24, 12)


def test_sample_weights_count(trainer):
    x, y = arrays(12)
    told = plan_for(trainer, shuffle=False, epochs=1, batch_size=12)
    weighted = LocalTrainer(linear())
    ones = weighted.train(told, 0, read_examples((x, y, np.ones(12, np.float32))))
    zeros = weighted.train(told, 0, read_examples((x, y, np.zeros(12, np.float32))))
    plain = trainer.train(told, 0, read_examples((x, y)))
    np.testing.assert_allclose(ones.delta, plain.delta, rtol=1e-6)
    assert not zeros.delta.any()


X, Y = arrays(6)
BAD = {
    "infinite": (tf.data.Dataset.from_tensors((X, Y)).repeat(), "infinite"),
    "empty list": ([], "no examples"),
    "empty arrays": ((X[:0], Y[:0]), "no examples"),
    "rows differ": ((X, Y[:5]), "different numbers of rows"),
    "x alone": ((X,), "x without y, expected y for the model's loss and metrics"),
    "four parts": ((X, Y, Y, Y), "4 parts"),
    "wrong names": ({"x": X, "label": Y}, "names label, x"),
    "no batch axis": (tf.data.Dataset.from_tensor_slices((X, Y)), "without a batch axis"),
    "objects": ((np.array([X, None], object), Y[:2]), "Python objects"),
    "batches differ": ([(X, Y), (X[:, :3], Y)], "batch 1"),
    "a number": (3, "type int"),
    "too wide": ((np.ones((6, 5), np.float32), Y), r"expected \(examples, 4\)"),
    "labels out of range": ((X, Y + 100), r"label value of \? which is outside .* \[0, 3\)$"),
    "words": ((X.astype(str), Y), "cannot take these examples: Cast string to float"),
    "ragged": (([[1.0], [1.0, 2.0]], [0, 1]), "not an array"),
}


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
def test_bad_data_are_a_typed_error_that_says_what_was_seen(trainer, data, message):
    with pytest.raises(fl.errors.DataError, match=message) as caught:
        trainer.train(plan_for(trainer), 0, read_examples(data))
    assert "\n" not in str(caught.value)


def test_bad_data_do_not_harm_the_next_client(trainer):
    good = read_examples(arrays(12))
    before = trainer.train(plan_for(trainer), 0, good)
    with pytest.raises(fl.errors.DataError):
        trainer.train(plan_for(trainer), 0, read_examples((X, Y + 100)))
    np.testing.assert_array_equal(before.delta, trainer.train(plan_for(trainer), 0, good).delta)


def test_a_plan_for_another_optimizer_is_refused(trainer):
    with pytest.raises(fl.errors.ModelError, match="another client optimizer"):
        trainer.train(plan_for(trainer, optimizer="{}"), 0, read_examples((X, Y)))


def test_the_digest_follows_every_word_of_the_plan():
    terms = Terms(0, 0, 8, 1, True, True, '{"learning_rate": 0.1}')
    weights = np.zeros(3, np.float32)
    changed = [
        plan.write(Terms(1, 0, 8, 1, True, True, terms.optimizer), weights),
        plan.write(Terms(0, 0, 8, 1, True, True, '{"learning_rate": 0.0}'), weights),
        plan.write(Terms(0, 0, 9, 1, True, True, terms.optimizer), weights),
        plan.write(terms, np.float32([0, 0, 1e-45])),
        plan.write(terms, weights),
    ]
    assert len({plan.read(message).digest for message in changed}) == len(changed)


@pytest.mark.parametrize("message", [b"", b"{}\n", b"[]\n", b'{"length": 1}\nabcd'])
def test_bytes_that_are_no_plan_are_refused(message):
    with pytest.raises(fl.errors.FLError, match="a message of a round"):
        plan.read(message)
