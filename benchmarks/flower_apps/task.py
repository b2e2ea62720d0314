"""The model and the data of all apps; how many clients and how large, the environment says."""

import functools
import os

import numpy as np

CLIENTS = int(os.environ.get("BENCH_CLIENTS", "5"))
UNITS = int(os.environ.get("BENCH_UNITS", "32"))
CLASSES = 10


def model_fn():
    """A compiled model of 64·u + u + u·u + u + 10·u + 10 parameters, u = UNITS."""
    import keras

    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(UNITS, activation="relu") for _ in range(2)]
    output = keras.layers.Dense(CLASSES, activation="softmax")
    model = keras.Sequential([keras.Input((64,)), *layers, output])
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return model


@functools.cache
def model():
    """One model a process, for the apps that have it to themselves."""
    return model_fn()


@functools.cache
def process():
    """The process of `fl`; one a process of Flower."""
    import fl

    return fl.build_weighted_fed_avg(model_fn, batch_size=16, epochs=1, seed=1)


def data(client):
    """A client's part of scikit-learn's digits."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x[client::CLIENTS] / 16).astype(np.float32), y[client::CLIENTS]


def examples():
    """One row of the clients' form."""
    return np.zeros((1, 64), np.float32), np.zeros(1, np.int64)


def trained(weights, client):
    """A client's weights after one epoch from these, and how many examples it has."""
    x, y = data(client)
    model().set_weights(weights)
    model().fit(x, y, batch_size=16, epochs=1, verbose=0)
    return model().get_weights(), len(x)
