"""Rows about models: layers, inputs and outputs, constraints, state, and steps of one's own."""

import tempfile
from functools import lru_cache, partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from row import Row
from rows_numbers import SOFTMAX, classes, dense, logits, net, regression, weighted

layers = keras.layers


def functional(build, loss, **compiled):
    """optimizer -> the model that `build` makes, compiled."""

    def make(optimizer):
        keras.utils.set_random_seed(4)
        model = build()
        given = {"metrics": None, **compiled}
        model.compile(optimizer, loss=loss, jit_compile=False, **given)
        return model

    return make


def two_in(mapping=False):
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b")
    joined = layers.Concatenate()([layers.Dense(3, "tanh")(a), b])
    return keras.Model({"a": a, "b": b} if mapping else (a, b), layers.Dense(3)(joined))


def two_columns(rng, n, mapping=False):
    x, y = classes(rng, n)
    parts = x, x[:, :2] ** 2
    return (dict(zip("ab", parts, strict=True)) if mapping else parts), y


def two_out():
    x = keras.Input((4,))
    hidden = layers.Dense(5, "tanh")(x)
    outputs = layers.Dense(3, name="kind")(hidden), layers.Dense(1, name="size")(hidden)
    return keras.Model(x, outputs)


def two_targets(rng, n):
    x, y = classes(rng, n)
    return x, (y, x[:, :1] * 2)


def nested():
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, "tanh"), layers.BatchNormalization()]
    )
    return keras.Sequential([keras.Input((4,)), inner, layers.Dense(3)])


def shared():
    x = keras.Input((4,))
    twice = layers.Dense(4, "tanh")
    return keras.Model(x, layers.Dense(3)(twice(twice(x))))


def frozen():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, "tanh"), layers.BatchNormalization(), layers.Dense(3)]
    )
    model.layers[0].trainable = False
    model.layers[1].trainable = False
    return model


def lora():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5, "tanh"), layers.Dense(3)])
    model.layers[0].enable_lora(2)
    return model


@keras.saving.register_keras_serializable(package="rows")
class Subclassed(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.hidden, self.out = layers.Dense(5, "tanh"), layers.Dense(3)

    def call(self, x, training=None):
        return self.out(self.hidden(x))


def subclassed(kind=Subclassed):
    model = kind()
    model(np.zeros((1, 4), np.float32))
    return model


class OwnStep(Subclassed):
    """A step of its own: the loss and a penalty, gradients halved."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = self.compute_loss(x, y, predicted) + 0.01 * tf.reduce_sum(predicted**2)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply([g / 2 for g in gradients], self.trainable_variables)
        self._loss_tracker.update_state(loss, sample_weight=tf.shape(x)[0])
        return {"loss": self._loss_tracker.result()}


class TwoOptimizers(Subclassed):
    """Every other layer has an optimizer that Keras does not know of."""

    def train_step(self, data):
        x, y = data
        if not hasattr(self, "second"):
            with tf.init_scope():
                self.second = keras.optimizers.SGD(0.05, momentum=0.9)
                self.second.build(self.out.trainable_variables)
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        ours, theirs = self.hidden.trainable_variables, self.out.trainable_variables
        gradients = tape.gradient(loss, ours + theirs)
        zeros = [tf.zeros_like(g) for g in gradients[len(ours) :]]
        self.optimizer.apply(gradients[: len(ours)] + zeros, ours + theirs)
        self.second.apply(gradients[len(ours) :], theirs)
        self._loss_tracker.update_state(loss, sample_weight=tf.shape(x)[0])
        return {"loss": self._loss_tracker.result()}


class Counts(Subclassed):
    """Weighs its loss by the number of steps that a `tf.Variable` of its own has counted."""

    def train_step(self, data):
        if not hasattr(self, "steps"):
            with tf.init_scope():
                self.steps = tf.Variable(0.0, trainable=False)
        x, y = data
        self.steps.assign_add(1.0)
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True)) * self.steps
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        self._loss_tracker.update_state(loss, sample_weight=tf.shape(x)[0])
        return {"loss": self._loss_tracker.result()}


class Noise(layers.Layer):
    """Draws from a generator that Keras has for all who bring none."""

    def call(self, x, training=None):
        return x + keras.random.normal(keras.ops.shape(x)) if training else x


class Penalty(layers.Layer):
    def call(self, x):
        self.add_loss(0.1 * keras.ops.mean(x**2))
        return x


def words(rng, n):
    """Sequences of at most six words, 0 where they have ended, and of which kind the first is."""
    x = rng.integers(1, 9, (n, 6))
    x[np.arange(6) >= rng.integers(2, 7, n)[:, None]] = 0
    return x, x[:, 0] % 3


def spoken(*recurrent, **options):
    embedding = partial(layers.Embedding, 9, 4, mask_zero=True)
    return net(embedding, *recurrent, inputs=(6,), dtype="int64", **options)


@lru_cache
def saved(optimizer):
    """A file of a model that was trained, with its optimizer's state in it."""
    model = functional(frozen_free, logits())(optimizer())
    model.fit(*classes(np.random.default_rng(5), 40), epochs=5, verbose=0)
    path = Path(tempfile.mkdtemp()) / "trained.keras"
    model.save(path)
    return path


def frozen_free():
    return keras.Sequential([keras.Input((4,)), layers.Dense(5, "tanh"), layers.Dense(3)])


def momentum():
    return keras.optimizers.SGD(0.05, momentum=0.9)


def loaded():
    return keras.saving.load_model(saved(momentum))


def loaded_fresh(optimizer):
    model = loaded()
    model.compile(optimizer, loss=logits(), jit_compile=False)
    return model


LAYERS = {
    "batch normalization": Row(
        net(dense(6), layers.BatchNormalization, dense(3), **SOFTMAX), classes
    ),
    "batch normalization, statistics local": Row(
        net(dense(6), layers.BatchNormalization, dense(3), **SOFTMAX),
        classes,
        options={"non_trainable": "local"},
        fit=False,
    ),
    "layer, group and spectral normalization": Row(
        net(
            dense(6),
            layers.LayerNormalization,
            lambda: layers.GroupNormalization(2),
            lambda: layers.SpectralNormalization(layers.Dense(3)),
            **SOFTMAX,
        ),
        classes,
    ),
    "constraints": Row(
        net(
            dense(6, "relu", kernel_constraint="non_neg", bias_constraint="non_neg"),
            dense(5, "relu", kernel_constraint=keras.constraints.MaxNorm(0.5)),
            dense(3, kernel_constraint="unit_norm"),
            **SOFTMAX,
        ),
        classes,
        fast=True,
    ),
    "penalties of weights and of activity": Row(
        net(
            dense(6, "relu", kernel_regularizer="l2", activity_regularizer="l1"),
            dense(3),
            **SOFTMAX,
        ),
        classes,
    ),
    "a loss that a layer adds": Row(net(dense(6), Penalty, dense(3), loss=logits()), classes),
    "two inputs": Row(functional(two_in, logits()), two_columns),
    "two inputs by name": Row(
        functional(partial(two_in, True), logits()), partial(two_columns, mapping=True)
    ),
    "two outputs": Row(
        functional(
            two_out, [logits(), "mse"], loss_weights=[1.0, 0.5], metrics=[["accuracy"], ["mae"]]
        ),
        two_targets,
        # In Keras a mean over batches, or over examples where it knows how many when it traces.
        not_compared=("kind_loss", "size_loss"),
    ),
    "a model in a model": Row(functional(nested, logits()), classes),
    "a layer used twice": Row(functional(shared, logits()), classes),
    "frozen layers": Row(functional(frozen, logits()), classes),
    "LoRA": Row(functional(lora, logits()), classes),
    "a subclass of Model": Row(functional(subclassed, logits(), metrics=["accuracy"]), classes),
    "a train_step of one's own": Row(
        functional(partial(subclassed, OwnStep), logits()), classes, evaluate=False
    ),
    "a second optimizer": Row(
        functional(partial(subclassed, TwoOptimizers), logits()),
        classes,
        evaluate=False,
        may_be_refused=True,
    ),
    "a tf.Variable of the model's own": Row(
        functional(partial(subclassed, Counts), logits()),
        classes,
        evaluate=False,
        may_be_refused=True,
    ),
    "noise without a seed": Row(
        net(Noise, dense(3), **SOFTMAX), classes, fit=False, may_be_refused=True
    ),
    "dropout": Row(
        net(dense(8, "relu"), lambda: layers.Dropout(0.5, seed=1), dense(3), **SOFTMAX),
        classes,
        fit=False,  # its seeds are the round's
    ),
    "words that are masked, LSTM": Row(
        spoken(lambda: layers.LSTM(5), dense(3), **SOFTMAX), words, rtol=1e-4
    ),
    "words that are masked, both ways": Row(
        spoken(lambda: layers.Bidirectional(layers.GRU(3)), dense(3), **SOFTMAX), words, rtol=1e-4
    ),
    "a loss over what is not masked": Row(
        spoken(lambda: layers.LSTM(5, return_sequences=True), dense(9), loss=logits()),
        lambda rng, n: (lambda x: (x, x))(words(rng, n)[0]),
        rtol=1e-4,
        evaluate=False,  # in Keras too it depends on the batches
    ),
    "a file with its optimizer's state": Row(
        loaded_fresh, classes, optimizer=momentum, model_fn=loaded, fast=True
    ),
    "regression": Row(
        net(dense(4, "tanh"), dense(1), loss="huber", metrics=[keras.metrics.MeanAbsoluteError]),
        regression(1.0),
    ),
    "weights and two outputs": Row(
        functional(two_out, ["sparse_categorical_crossentropy", "mse"]),
        lambda rng, n: (*two_targets(rng, n), (weighted(rng, n)[2], weighted(rng, n)[2])),
        not_compared=("kind_loss", "size_loss"),
        evaluate=False,
    ),
}
