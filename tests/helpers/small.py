"""Small models and small clients, for all tests of `fl`."""

import keras
import numpy as np

from fl import plan
from fl.plan import Terms


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


def one_weight():
    """y = w·x from w = 0, by steps that halve the gradient of (y - w)²: each makes w = y."""
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
    )
    model.compile(keras.optimizers.SGD(0.5), loss="mse", jit_compile=False)
    return model


def constant(value, examples=1):
    """Examples with x = 1 and y = value: the first step of one_weight moves w to value."""
    ones = np.ones((examples, 1), np.float32)
    return ones, value * ones


def compiled(model, optimizer=None, metrics=("accuracy",)):
    model.compile(
        optimizer=optimizer or keras.optimizers.SGD(0.1),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=list(metrics),
        jit_compile=False,
    )
    return model


def plan_for(trainer, weights=None, **changes):
    """A plan for one round of this trainer, as a client reads it."""
    terms = {"round": 2, "seed": 7, "batch_size": 8, "epochs": 2, "shuffle": True, "weighted": True}
    told = Terms(**{**terms, "optimizer": trainer.optimizer, **changes})
    return plan.read(plan.write(told, (weights or trainer.initial_weights).to_vector()))


class Counting(keras.layers.Layer):
    """Counts the steps it was called for, in an integer weight."""

    def build(self, shape):
        self.calls = self.add_weight(shape=(), dtype="int32", trainable=False, initializer="zeros")
        self.scale = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        self.calls.assign_add(1)
        return x * self.scale
