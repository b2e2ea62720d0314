"""A model trained in one place on half of the digits, frozen, and finished by federated clients.

python examples/tutorials/fine_tuning.py --data-dir data
"""

import tempfile
from pathlib import Path

import arguments
import figures
import keras
import numpy as np
import writers
from side_by_side import SideBySide

import fl

NUM_CLIENTS = 20
KNOWN = 5  # the digits below are in the data of the first training
LOSS = "sparse_categorical_crossentropy"


def pretrained(client_data):
    """A small convolutional network that has seen the digits 0 to 4, and no others, as a file."""
    keras.utils.set_random_seed(0)
    x, y = client_data.pooled()
    x, y = x[y < KNOWN], y[y < KNOWN]
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Reshape((28, 28, 1)),
            keras.layers.Conv2D(8, 5, strides=2, activation="relu"),
            keras.layers.Conv2D(16, 3, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(KNOWN, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.002), LOSS, metrics=["accuracy"])
    model.fit(x, y, batch_size=64, epochs=3, verbose=0)
    return model


def model_fn(path, frozen):
    """The layers of the file but the last, in whose place is one for ten digits."""
    layers = keras.saving.load_model(path).layers[:-1]
    for layer in layers:
        layer.trainable = not frozen
    head = keras.layers.Dense(10, activation="softmax", kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((28, 28)), *layers, head])
    model.compile(keras.optimizers.SGD(0.1 if frozen else 0.05), LOSS, metrics=["accuracy"])
    return model


def fine_tune(path, frozen, clients, rounds, weights, rng):
    """Some rounds that begin with these weights, each with other clients."""
    model = model_fn(path, frozen)
    sent = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    print(f"{sent} of {model.count_params()} weights are trained, and sent")

    def build(aggregator):
        return fl.build_weighted_fed_avg(
            lambda: model_fn(path, frozen), epochs=2, batch_size=20, aggregator=aggregator
        )

    both = SideBySide(build, max_weight=200, weights=weights)
    for _ in range(rounds):
        sample = rng.choice(clients.client_ids, NUM_CLIENTS, replace=False)
        metrics = both.next([clients.arrays(client) for client in sample])
    print(both.difference())
    print(f"a client sends {metrics['aggregator']['bytes_up'] / 1000:.1f} kB a round")
    return both


def both_stages(path, clients, test, rounds):
    """The new last layer alone, then all layers; what `SideBySide` knows of each."""
    rng = np.random.default_rng(0)
    first = fine_tune(path, True, clients, rounds, None, rng)
    tell(first.model(), *test)
    second = fine_tune(path, False, clients, rounds, first.states[0].weights, rng)
    tell(second.model(), *test)
    return first, second


def main(argv=None):
    options = arguments.parser(__doc__, rounds=10).parse_args(argv)
    train, test = writers.load_data(options.data_dir)
    central, clients = train.train_test_split(test_clients=len(train) * 3 // 4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pretrained.keras")
        pretrained(central).save(path)
        first, second = both_stages(path, clients, test.pooled(), options.rounds)
    if options.figure:
        ahead, after = first.curves("accuracy"), second.curves("accuracy")
        title = f"accuracy in training, all layers from round {options.rounds + 1}"
        figures.curves(options.figure, {title: {name: ahead[name] + after[name] for name in ahead}})


def tell(model, x, y):
    """How well it reads the digits of its first training, and the others."""
    right = model.predict(x, verbose=0).argmax(axis=1) == y
    known, new = np.mean(right[y < KNOWN]), np.mean(right[y >= KNOWN])
    print(f"test accuracy: digits 0 to 4 {known:.4f}, digits 5 to 9 {new:.4f}")


if __name__ == "__main__":
    with arguments.told():
        main()
