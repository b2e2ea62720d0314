"""Every client keeps a copy of the common model, and trains it on by itself.

    python examples/tutorials/personal.py --data-dir data --keep copies

Run again with the same `--keep`, the copies go on from where they were.
"""

from pathlib import Path

import arguments
import figures
import keras
import numpy as np
import writers
from side_by_side import SideBySide

import fl

NUM_CLIENTS = 10
KEEPERS = 100  # the clients of whom we hear how their copies do
PASSES = 5


def model_fn():
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax", kernel_initializer="zeros"),
        ]
    )
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.SGD(0.05), loss, metrics=["accuracy"])
    return model


def halves(client_data, client):
    """A client's digits: those it trains on, and those it tests its own model with."""
    x, y = client_data.arrays(client)
    return (x[::2], y[::2]), (x[1::2], y[1::2])


def build(aggregator):
    return fl.build_weighted_fed_avg(model_fn, batch_size=20, epochs=5, aggregator=aggregator)


def common_weights(client_data, rounds):
    """The training that all take part in, ten at a time."""
    both = SideBySide(build, max_weight=200)
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        sample = rng.choice(client_data.client_ids, NUM_CLIENTS, replace=False)
        both.next([halves(client_data, client)[0] for client in sample])
    print(both.difference())
    return both.states[0].weights


def kept_copies(folder):
    """{client: its model, and how many epochs it was trained at home} of the files in a folder."""
    copies = {}
    for path in sorted(folder.glob("*.keras")) if folder else []:
        client, passes = path.stem.split(".")
        copies[client] = keras.saving.load_model(path), int(passes)
    return copies


def main(argv=None):
    parser = arguments.parser(__doc__, rounds=10, rounds_help="rounds of the common training")
    parser.add_argument("--keep", type=Path, help="a folder in which each client has its copy")
    options = parser.parse_args(argv)
    train, _ = writers.load_data(options.data_dir)
    personalize = fl.build_personalization(model_fn, fl.FineTune(batch_size=10))
    copies = kept_copies(options.keep)
    if not copies:
        common = common_weights(train, options.rounds)
        copies = dict.fromkeys(train.client_ids[:KEEPERS], (common, 0))

    def accuracies():
        """Of each copy on its own client's test digits."""
        return [
            personalize.evaluate(weights, halves(train, client)[1])["accuracy"]
            for client, (weights, _) in copies.items()
        ]

    def tell():
        mean = fl.analytics.secure_mean(accuracies()).value  # all that anybody hears of
        passes = next(iter(copies.values()))[1]
        print(f"own copies, {passes:2d} epochs at home: accuracy {mean:.4f} on own test digits")
        return float(mean)

    before, first = accuracies(), tell()
    for _ in range(PASSES):
        for number, (client, (weights, passes)) in enumerate(copies.items()):
            data, _ = halves(train, client)
            mine, _ = personalize(weights, data, round=passes, client=number)
            copies[client] = mine, passes + 1
    last = tell()

    for client, (weights, passes) in copies.items() if options.keep else []:
        options.keep.mkdir(parents=True, exist_ok=True)
        personalize.get_model(weights).save(options.keep / f"{client}.{passes:03d}.keras")
    if options.figure:
        labels = "accuracy of the common model", "accuracy of the own copy"
        figures.scatter(
            options.figure, "each client's own test digits", before, accuracies(), *labels
        )
    return first, last


if __name__ == "__main__":
    main()
