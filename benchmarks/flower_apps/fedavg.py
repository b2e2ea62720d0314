"""Flower's plain federated averaging, by its Message API."""

import os

from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg

from benchmarks.flower_apps import task
from benchmarks.flower_apps.counted import Counted

client = ClientApp()
server = ServerApp()


@client.train()
def train(message, context):
    """One epoch."""
    u = int(context.node_config["partition-id"])
    weights = [array.numpy() for array in message.content["arrays"].values()]
    after, examples = task.trained(weights, u)
    metrics = MetricRecord({"num-examples": examples})
    content = RecordDict({"arrays": ArrayRecord(after), "metrics": metrics})
    return Message(content, reply_to=message)


@server.main()
def main(grid, context):
    """The rounds, counted when a round's weights are there."""
    counted = Counted(grid, os.environ["BENCH_RESULT"])

    def over(number, arrays):
        if number:
            counted.round_over()

    strategy = FedAvg(
        fraction_evaluate=0.0, min_train_nodes=task.CLIENTS, min_available_nodes=task.CLIENTS
    )
    initial = ArrayRecord(task.model().get_weights())
    rounds = int(os.environ["BENCH_ROUNDS"])
    strategy.start(grid, initial, num_rounds=rounds, evaluate_fn=over)
