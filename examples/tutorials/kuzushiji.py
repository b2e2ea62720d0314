"""Kuzushiji-MNIST in ten pieces, one a client, as they lie in the file.

    python examples/tutorials/kuzushiji.py --data-dir data

In `data/kmnist/` are the published files: kmnist-train-imgs.npz, kmnist-train-labels.npz, and the
two of the test examples. Where they are not, MNIST takes their place, and the output says so.
`--tfds-order` deals the examples as tensorflow_datasets has them.
"""

import hashlib
from pathlib import Path

import arguments
import figures
import keras
from side_by_side import SideBySide

import fl

NUM_CLIENTS = 10
BATCH_SIZE = 100


def load_data(data_dir):
    """The name of the data set, its training examples and its test examples."""
    if data_dir is None:
        return "digits", *fl.data.load("digits")
    name = "kmnist" if Path(data_dir, "kmnist").exists() else "mnist"
    return name, *fl.data.load(name, data_dir)


def tfds_order(n):
    """The numbers 0..n-1 of a set's training examples, as tensorflow_datasets shuffles them: once,
    when it writes its files, by the MD5 of the split's name and the number in decimal digits."""
    return sorted(range(n), key=lambda i: hashlib.md5(f"train{i}".encode()).digest())


def parse(argv):
    parser = arguments.parser(__doc__, rounds=20)
    parser.add_argument("--tfds-order", action="store_true", help="deal as tensorflow_datasets has")
    return parser.parse_args(argv)


def main(argv=None):
    options = parse(argv)
    name, (x, y), test = load_data(options.data_dir)
    if options.tfds_order:
        order = tfds_order(len(y))
        x, y = x[order], y[order]
    whose = "tensorflow_datasets'" if options.tfds_order else "their"
    print(f"{name}: {len(y)} training examples, dealt in {whose} order to {NUM_CLIENTS} clients")
    shards = fl.data.partition.sequential(len(y), NUM_CLIENTS)
    clients = [(x[part], y[part]) for part in shards]

    def model_fn():
        model = keras.Sequential(
            [
                keras.Input(x.shape[1:]),
                keras.layers.Flatten(),
                keras.layers.Dense(10, activation="softmax", kernel_initializer="zeros"),
            ]
        )
        model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def build(aggregator):
        return fl.build_weighted_fed_avg(
            model_fn,
            client_optimizer_fn=lambda: keras.optimizers.SGD(0.02),
            server_optimizer_fn=lambda: keras.optimizers.SGD(1.0),
            batch_size=BATCH_SIZE,
            shuffle=False,
            aggregator=aggregator,
        )

    both = SideBySide(build, max_weight=10_000)
    for _ in range(options.rounds):
        metrics = both.next(clients)
    print(both.difference())
    loss, accuracy = both.model().evaluate(*test, verbose=0)
    print(f"test examples: loss {loss:.4f}, accuracy {accuracy:.4f}")
    if options.figure:
        figures.curves(options.figure, {"accuracy in training": both.curves("accuracy")})
    return metrics["client_work"]["train"]


if __name__ == "__main__":
    with arguments.told():
        main()
