"""What a step keeps outside the model: no client sees anything of the one before it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import fl
from fl.client.examples import read_examples
from fl.client.local_training import LocalTrainer
from tests.helpers.small import arrays, compiled, plan_for

GLOBAL = "the global seed generator"


class Plain:
    """An object that Keras does not look into."""

    def __init__(self, **parts):
        self.__dict__.update(parts)


class Noisy(keras.layers.Layer):
    """Adds noise in training, drawn by a function of the test's."""

    def __init__(self, draw):
        super().__init__()
        self.draw = Plain(noise=draw)

    def call(self, x, training=False):
        return x + self.draw.noise(tf.shape(x)) if training else x


class Stepping(keras.Sequential):
    """A model whose train_step does something more."""

    more = None

    def train_step(self, data):
        type(self).more(self, data)
        return super().train_step(data)


def noisy(draw):
    keras.utils.set_random_seed(5)
    return compiled(keras.Sequential([keras.Input((4,)), Noisy(draw), keras.layers.Dense(3)]))


def stepping(more):
    keras.utils.set_random_seed(5)
    kind = type("Stepping", (Stepping,), {"more": more})
    return compiled(kind([keras.Input((4,)), keras.layers.Dense(3)]))


def second_optimizer():
    second = Plain(adam=keras.optimizers.Adam(0.05))

    def more(model, data):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(data[0]) ** 2)
        weights = model.trainable_weights
        second.adam.apply(tape.gradient(loss, weights), weights)

    return stepping(more)


def running_mean():
    seen = tf.Variable(0.0, trainable=False)

    def more(model, data):
        seen.assign(0.5 * seen + tf.reduce_mean(data[0]))
        model.trainable_weights[0].assign_add(tf.fill((4, 3), seen))

    return stepping(more)


def hidden_metric():
    hidden = Plain(mean=keras.metrics.Mean())

    def more(model, data):
        hidden.mean.update_state(data[0])
        model.trainable_weights[0].assign_add(tf.fill((4, 3), hidden.mean.result()))

    return stepping(more)


def hidden_generator():
    hidden = keras.random.SeedGenerator(3)
    return noisy(lambda shape: keras.random.normal(shape, seed=hidden))


STATE = {
    "a second optimizer": second_optimizer,
    "a tf.Variable": running_mean,
    "a metric in a plain object": hidden_metric,
    "a SeedGenerator in a plain object": hidden_generator,
    "keras.random without a seed": lambda: noisy(keras.random.normal),
}


@pytest.mark.parametrize("make", STATE.values(), ids=STATE)
def test_a_client_trains_alike_whoever_went_before(make):
    one, two = (read_examples(arrays(12, seed=seed)) for seed in (1, 2))
    first = LocalTrainer(make())
    told = plan_for(first)
    deltas = [first.train(told, client, data).delta for client, data in ((0, one), (1, two))]
    second = LocalTrainer(make())
    again = [second.train(told, client, data).delta for client, data in ((1, two), (0, one))]
    np.testing.assert_array_equal(deltas, again[::-1])
    assert first.trace_count == 1


def test_processes_that_share_a_variable_train_alike_in_any_order():
    shared = tf.Variable(0.5, trainable=False)

    def more(model, data):
        shared.assign_add(tf.reduce_mean(data[0]))
        model.trainable_weights[0].assign_add(tf.fill((4, 3), shared))

    one, two = LocalTrainer(stepping(more)), LocalTrainer(stepping(more))
    told, data = plan_for(one), read_examples(arrays(12))
    first = one.train(told, 0, data)
    with pytest.raises(fl.errors.DataError):
        one.train(told, 0, read_examples((arrays(12)[0], arrays(12)[1] + 100)))
    assert shared.numpy() == 0.5
    np.testing.assert_array_equal(first.delta, two.train(told, 0, data).delta)


@pytest.mark.parametrize("draw", [keras.random.normal, hidden_generator], ids=[GLOBAL, "hidden"])
def test_noise_differs_from_client_to_client_and_round_to_round(draw):
    trainer = LocalTrainer(noisy(draw) if draw is keras.random.normal else draw())
    data = read_examples(arrays(12))
    told = [plan_for(trainer, round=number, shuffle=False) for number in (0, 1)]
    deltas = [trainer.train(told[0], client, data).delta for client in (0, 1)]
    deltas.append(trainer.train(told[1], 0, data).delta)
    assert len({delta.tobytes() for delta in deltas}) == 3


def test_a_second_optimizer_trains_as_keras_trains_with_fresh_ones():
    x, y = arrays(16)
    trainer = LocalTrainer(second_optimizer())
    told = plan_for(trainer, shuffle=False)
    for client in range(2):
        delta = trainer.train(told, client, read_examples((x, y))).delta
        central = second_optimizer()
        central.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        trained = fl.ModelWeights.from_model(central).to_vector()
        np.testing.assert_allclose(trainer.initial_weights.to_vector() + delta, trained, atol=1e-6)


def test_weights_that_the_model_does_not_list_are_named():
    hidden = Plain(layer=keras.layers.Dense(3, name="secret"))
    hidden.layer.build((None, 4))

    def more(model, data):
        hidden.layer.kernel.assign_add(tf.ones((4, 3)))
        model.trainable_weights[0].assign_add(hidden.layer.kernel)

    trainer = LocalTrainer(stepping(more))
    with pytest.warns(UserWarning, match=r"secret/kernel\. Every client begins with"):
        first = trainer.train(plan_for(trainer), 0, read_examples(arrays(8)))
    again = trainer.train(plan_for(trainer), 0, read_examples(arrays(8)))
    np.testing.assert_array_equal(first.delta, again.delta)


def dropout(shape):
    return tf.nn.dropout(tf.ones(shape), 0.5)


def of_a_generator():
    generator = tf.random.Generator.from_seed(1)
    return generator.normal


def counting_table():
    table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, 0)

    def more(model, data):
        table.insert(data[1], data[1])

    return stepping(more)


REFUSED = {
    "tf.random": (lambda: noisy(tf.random.normal), "RandomStandardNormal"),
    "with a seed": (lambda: noisy(lambda shape: tf.random.normal(shape, seed=1)), "tf.random"),
    "tf.nn.dropout": (lambda: noisy(dropout), r"tf\.random \(RandomUniform\)"),
    "inside a tf.function": (lambda: noisy(tf.function(tf.random.uniform)), "RandomUniform"),
    "tf.random.Generator": (lambda: noisy(of_a_generator()), "RngReadAndSkip"),
    "a mutable table": (counting_table, "LookupTableInsert"),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_state_that_cannot_be_put_back_is_refused_by_name(make, message):
    trainer = LocalTrainer(make())
    for _ in range(2):  # and not only once
        with pytest.raises(fl.errors.ModelError, match=message):
            trainer.train(plan_for(trainer), 0, read_examples(arrays(8)))


def test_a_table_that_is_only_looked_up_is_no_state():
    keys = tf.lookup.KeyValueTensorInitializer([0, 1], [1.0, 2.0], tf.int64)
    table = tf.lookup.StaticHashTable(keys, 1.0)

    def more(model, data):
        model.trainable_weights[0].assign_add(tf.fill((4, 3), tf.reduce_sum(table.lookup(data[1]))))

    trainer = LocalTrainer(stepping(more))
    assert trainer.train(plan_for(trainer), 0, read_examples(arrays(8))).delta.any()
    assert not trainer.strays


def test_a_step_that_uses_other_variables_in_every_trace_is_refused():
    unused = [tf.Variable(0.0, trainable=False) for _ in range(9)]

    def more(model, data):
        model.trainable_weights[0].assign_add(tf.fill((4, 3), unused.pop()))

    trainer = LocalTrainer(stepping(more))
    with pytest.raises(fl.errors.ModelError, match="other variables when traced again"):
        trainer.train(plan_for(trainer), 0, read_examples(arrays(8)))


def drifting(begin):
    drift = tf.Variable(begin, trainable=False, name="drift")
    return noisy(lambda shape: tf.fill(shape, drift.assign_add(1.0)))


def test_workers_whose_models_share_a_variable_are_refused():
    shared = keras.random.SeedGenerator(3)

    def build(seed, workers):
        def draw(shape):
            return keras.random.normal(shape, seed=seed)

        return fl.build_weighted_fed_avg(
            lambda: noisy(draw), aggregator=fl.PlainSum(), batch_size=8, workers=workers
        )

    data = [arrays(8, seed=seed) for seed in range(4)]
    process = build(shared, 2)

    def three_rounds():  # a quick worker may have taken every client of the first one
        for _ in range(3):
            process.next(process.initialize(), data)

    with pytest.raises(
        fl.errors.ModelError, match=r"several workers use the same variables, .*seed"
    ):
        three_rounds()
    begins = iter((0.0, 1.0))
    process = fl.build_weighted_fed_avg(lambda: drifting(next(begins)), batch_size=8, workers=2)
    with pytest.raises(fl.errors.ModelError, match="begin with different drift"):
        three_rounds()
    states = []
    for workers in (1, 2):  # without a seed each has its own
        apart = build(None, workers)
        states.append(apart.next(apart.initialize(), data).state.weights.to_vector())
    np.testing.assert_array_equal(*states)
