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


def train_at_home(personalize, copies, client_data):
    """One epoch for every copy, each on its own client's digits."""
    trained = {}
    for number, (client, (weights, passes)) in enumerate(copies.items()):
        data, _ = halves(client_data, client)
        mine, _ = personalize(weights, data, round=passes, client=number)
        trained[client] = mine, passes + 1
    return trained


def accuracies(personalize, copies, client_data):
    """Of each copy on its own client's test digits: what the clients know."""
    return [
        personalize.evaluate(weights, halves(client_data, client)[1])["accuracy"]
        for client, (weights, _) in copies.items()
    ]


def tell(copies, values):
    """The mean, by a secure sum: all that anybody else hears."""
    mean = float(fl.analytics.secure_mean(values).value)
    passes = next(iter(copies.values()))[1]
    print(f"own copies, {passes:2d} epochs at home: accuracy {mean:.4f} on own test digits")
    return mean


def keep(personalize, copies, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for client, (weights, passes) in copies.items():
        personalize.get_model(weights).save(folder / f"{client}.{passes:03d}.keras")


def parse(argv):
    parser = arguments.parser(__doc__, rounds=10, rounds_help="rounds of the common training")
    parser.add_argument("--keep", type=Path, help="a folder in which each client has its copy")
    return parser.parse_args(argv)


def main(argv=None):
    options = parse(argv)
    train, _ = writers.load_data(options.data_dir)
    personalize = fl.build_personalization(model_fn, fl.FineTune(batch_size=10))
    copies, start = kept_copies(options.keep), "copy as it was kept"
    if not copies:
        start = "common model"
        common = common_weights(train, options.rounds)
        copies = dict.fromkeys(train.client_ids[:KEEPERS], (common, 0))

    before = accuracies(personalize, copies, train)
    first = tell(copies, before)
    for _ in range(PASSES):
        copies = train_at_home(personalize, copies, train)
    after = accuracies(personalize, copies, train)
    last = tell(copies, after)

    if options.keep:
        keep(personalize, copies, options.keep)
    if options.figure:
        labels = f"accuracy of the {start}", "accuracy of the own copy"
        figures.scatter(options.figure, "each client's own test digits", before, after, *labels)
    return first, last


if __name__ == "__main__":
    with arguments.told():
        main()
