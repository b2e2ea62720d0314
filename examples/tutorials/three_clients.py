"""Three clients, the same in every round, until the model knows their digits by heart.

python examples/tutorials/three_clients.py --data-dir data
"""

import arguments
import figures
import keras
import writers
from side_by_side import SideBySide

import fl

NUM_CLIENTS = 3
NUM_EPOCHS = 10
BATCH_SIZE = 20


def model_fn():
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax", kernel_initializer="zeros"),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def build(aggregator):
    return fl.build_weighted_fed_avg(
        model_fn, batch_size=BATCH_SIZE, epochs=NUM_EPOCHS, aggregator=aggregator
    )


def main(argv=None):
    options = arguments.parser(__doc__, rounds=50).parse_args(argv)
    train, _ = writers.load_data(options.data_dir)
    clients = [train.arrays(client) for client in train.client_ids[:NUM_CLIENTS]]
    both = SideBySide(build, max_weight=200)
    for _ in range(options.rounds):
        metrics = both.next(clients)
    print(both.difference())
    if options.figure:
        panels = {name: both.curves(name) for name in ("loss", "accuracy")}
        figures.curves(options.figure, panels)
    return metrics["client_work"]["train"]


if __name__ == "__main__":
    with arguments.told():
        main()
