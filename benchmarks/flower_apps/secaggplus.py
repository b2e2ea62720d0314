"""Flower's SecAgg+: all clients share with all, t = ⌊2n/3⌋+1, as far as it lets that be chosen."""

import os

from flwr.client import NumPyClient
from flwr.client.mod import secaggplus_mod
from flwr.clientapp import ClientApp
from flwr.common import ndarrays_to_parameters
from flwr.server import LegacyContext, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.server.workflow import DefaultWorkflow, SecAggPlusWorkflow
from flwr.serverapp import ServerApp

from benchmarks.flower_apps import task
from benchmarks.flower_apps.counted import Counted


class Client(NumPyClient):
    """One epoch."""

    def __init__(self, u):
        self._u = u

    def fit(self, parameters, config):
        """The weights after it."""
        after, examples = task.trained(parameters, self._u)
        return after, examples, {}


def _client_fn(context):
    return Client(int(context.node_config["partition-id"])).to_client()


client = ClientApp(client_fn=_client_fn, mods=[secaggplus_mod])
server = ServerApp()


@server.main()
def main(grid, context):
    """The rounds, counted when a round's weights are there."""
    counted = Counted(grid, os.environ["BENCH_RESULT"])

    def over(number, arrays, config):
        if number:
            counted.round_over()

    n = task.CLIENTS
    strategy = FedAvg(
        fraction_evaluate=0.0,
        min_fit_clients=n,
        min_available_clients=n,
        evaluate_fn=over,
        initial_parameters=ndarrays_to_parameters(task.model().get_weights()),
    )
    legacy = LegacyContext(
        context, ServerConfig(num_rounds=int(os.environ["BENCH_ROUNDS"])), strategy
    )
    secure = SecAggPlusWorkflow(num_shares=1.0, reconstruction_threshold=2 / 3)
    DefaultWorkflow(fit_workflow=secure)(grid, legacy)
