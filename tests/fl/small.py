"""Small models and small clients, for all tests of `fl`."""

import keras
import numpy as np


def arrays(examples, seed=0, features=4):
    """(x, y) of a three-class problem that a linear model can learn."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(examples, features)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 0)


def linear():
    """A model of 15 parameters."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    return compiled(model)


def compiled(model, optimizer=None, metrics=("accuracy",)):
    model.compile(
        optimizer=optimizer or keras.optimizers.SGD(0.1),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=list(metrics),
        jit_compile=False,
    )
    return model


class Counting(keras.layers.Layer):
    """Counts the steps it was called for, in an integer weight."""

    def build(self, shape):
        self.calls = self.add_weight(shape=(), dtype="int32", trainable=False, initializer="zeros")
        self.scale = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        self.calls.assign_add(1)
        return x * self.scale
