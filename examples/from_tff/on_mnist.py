"""Runs image_classification.py of this folder, with TensorFlow Federated, on MNIST by its writers.

    python on_mnist.py data --rounds 30

It gives `emnist.load_data` the digits and the clients that examples/tutorials/writers.py makes of
`mnist.npz` and `mnist_writer_ids.npz`, so that the two scripts can be compared number by number.
"""

import sys
from pathlib import Path

import image_classification
import numpy as np
import tensorflow_federated as tff


def main():
    folder = Path(sys.argv[1])
    with np.load(folder / "mnist.npz") as mnist, np.load(folder / "mnist_writer_ids.npz") as ids:
        owners = ids["writer_train"]
        train = {f"writer-{w:04d}": np.flatnonzero(owners == w) for w in np.unique(owners)}
        parts = np.array_split(np.arange(len(mnist["y_test"])), 100)
        test = {f"client-{i:02d}": part for i, part in enumerate(parts)}
        pairs = (
            _clients(mnist["x_train"], mnist["y_train"], train),
            _clients(mnist["x_test"], mnist["y_test"], test),
        )
    tff.simulation.datasets.emnist.load_data = lambda: pairs
    tff.backends.native.set_sync_local_cpp_execution_context()
    image_classification.main(sys.argv[2:])


def _clients(images, labels, rows):
    scaled = images.astype(np.float32) / np.float32(255)
    tensors = {
        client: {"pixels": scaled[part], "label": labels[part].astype(np.int32)}
        for client, part in rows.items()
    }
    return tff.simulation.datasets.TestClientData(tensors)


if __name__ == "__main__":
    main()
