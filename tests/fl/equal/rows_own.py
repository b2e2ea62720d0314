"""Rows about what is a user's own: subclasses, steps, state that Keras does not know of, files."""

import tempfile
from functools import lru_cache, partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tests.fl.equal.row import Row
from tests.fl.equal.rows_layers import functional
from tests.fl.equal.rows_numbers import SOFTMAX, classes, dense, logits, net

layers = keras.layers


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


class Taught(Subclassed):
    """A frozen layer follows another as its moving mean, and draws it back (a mean teacher)."""

    def __init__(self):
        super().__init__()
        self.teacher = layers.Dense(3)
        self.teacher.trainable = False

    def call(self, x, training=None):
        hidden = self.hidden(x)
        taught, out = self.teacher(hidden), self.out(hidden)
        self.add_loss(keras.ops.mean((out - taught) ** 2))
        return out

    def train_step(self, data):
        result = super().train_step(data)
        for mean, weight in zip(self.teacher.weights, self.out.weights, strict=True):
            mean.assign(0.9 * mean + 0.1 * weight)
        return result


class Running(layers.Layer):
    """Takes away the moving mean of what it has seen, which it keeps although it is frozen."""

    def __init__(self):
        super().__init__(trainable=False)

    def build(self, shape):
        self.mean = self.add_weight(shape=shape[-1:], initializer="zeros", trainable=False)

    def call(self, x, training=None):
        if training:
            self.mean.assign(0.9 * self.mean + 0.1 * keras.ops.mean(x, 0))
        return x - self.mean


class Noise(layers.Layer):
    """Draws from a generator that Keras has for all who bring none."""

    def call(self, x, training=None):
        return x + keras.random.normal(keras.ops.shape(x)) if training else x


class Penalty(layers.Layer):
    def call(self, x):
        self.add_loss(0.1 * keras.ops.mean(x**2))
        return x


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


OWN = {
    "a loss that a layer adds": Row(net(dense(6), Penalty, dense(3), loss=logits()), classes),
    "a subclass of Model": Row(functional(subclassed, logits(), metrics=["accuracy"]), classes),
    "a train_step of one's own": Row(
        functional(partial(subclassed, OwnStep), logits()), classes, evaluate=False
    ),
    "a frozen layer that follows another": Row(
        functional(partial(subclassed, Taught), logits()), classes, fast=True
    ),
    "a frozen layer with a moving mean": Row(net(Running, dense(3), **SOFTMAX), classes),
    "a second optimizer": Row(
        functional(partial(subclassed, TwoOptimizers), logits()),
        classes,
        evaluate=False,
    ),
    "a tf.Variable of the model's own": Row(
        functional(partial(subclassed, Counts), logits()),
        classes,
        evaluate=False,
    ),
    "noise without a seed": Row(net(Noise, dense(3), **SOFTMAX), classes, fit=False),
    "a file with its optimizer's state": Row(
        loaded_fresh, classes, optimizer=momentum, model_fn=loaded, fast=True
    ),
}
