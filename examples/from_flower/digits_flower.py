"""Five clients learn to read digits, by Flower's Message API and its simulation.

python digits_flower.py                  with Flower 1.42, TensorFlow and Ray
"""

import argparse

import keras
import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation
from sklearn.datasets import load_digits

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


client_app = ClientApp()


@client_app.train()
def train(message, context):
    model = get_model()
    model.set_weights(message.content["arrays"].to_numpy_ndarrays())
    x, y = load_data(context.node_config["partition-id"])
    model.fit(x, y, batch_size=BATCH_SIZE, shuffle=False, verbose=0)
    metrics = MetricRecord({"num-examples": len(y)})
    arrays = ArrayRecord(model.get_weights())
    return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)


@client_app.evaluate()
def evaluate(message, context):
    model = get_model()
    model.set_weights(message.content["arrays"].to_numpy_ndarrays())
    x, y = load_data(context.node_config["partition-id"])
    loss, accuracy = model.evaluate(x, y, verbose=0)
    metrics = MetricRecord({"loss": loss, "accuracy": accuracy, "num-examples": len(y)})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    server_app = ServerApp()

    @server_app.main()
    def serve(grid, context):
        strategy = FedAvg(fraction_train=1.0, fraction_evaluate=1.0, min_available_nodes=5)
        arrays = ArrayRecord(get_model().get_weights())
        result = strategy.start(grid=grid, initial_arrays=arrays, num_rounds=options.rounds)
        for number, metrics in result.evaluate_metrics_clientapp.items():
            print(f"round {number}  loss {metrics['loss']:.4f}  accuracy {metrics['accuracy']:.4f}")

    run_simulation(server_app, client_app, NUM_CLIENTS)


if __name__ == "__main__":
    main()
