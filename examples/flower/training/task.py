"""Your model and your data. TensorFlow is imported where it is needed: most messages need none."""

from functools import cache

import numpy as np

CLIENTS = 5


@cache
def build():
    """The process that every party builds; the sum is that of each party's federation.toml. One a
    process: under a simulation many clients have their turn in one."""
    import fl

    return fl.build_weighted_fed_avg(model_fn, batch_size=16, epochs=1, seed=1)


def model_fn():
    """A compiled Keras model."""
    import keras

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.SGD(0.1), loss=loss, metrics=["accuracy"])
    return model


def data(client):
    """The examples of the host that runs this: here one part of scikit-learn's digits."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x[client::CLIENTS] / 16).astype(np.float32), y[client::CLIENTS]


def examples():
    """One row of the clients' form, for the server, which has no data."""
    return np.zeros((1, 64), np.float32), np.zeros(1, np.int64)
