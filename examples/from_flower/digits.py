"""Five clients learn to read digits, as in digits_flower.py, by this package.

python examples/from_flower/digits.py
"""

import argparse

import keras
import numpy as np
from sklearn.datasets import load_digits

import fl

NUM_CLIENTS = 5
BATCH_SIZE = 20


def load_data(client):
    x, y = load_digits(return_X_y=True)
    return (x[client::NUM_CLIENTS] / 16).astype(np.float32), y[client::NUM_CLIENTS]


def get_model():
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(10, activation="softmax", kernel_initializer="zeros"),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    clients = [load_data(client) for client in range(NUM_CLIENTS)]

    process = fl.build_weighted_fed_avg(get_model, batch_size=BATCH_SIZE, shuffle=False)
    evaluate = fl.build_fed_eval(get_model)
    state = process.initialize()
    for number in range(1, options.rounds + 1):
        state, _ = process.next(state, clients)
        metrics = evaluate(state.weights, clients)["client_work"]["eval"]
        print(f"round {number}  loss {metrics['loss']:.4f}  accuracy {metrics['accuracy']:.4f}")


if __name__ == "__main__":
    main()
