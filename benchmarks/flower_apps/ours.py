"""`fl.flower`, with the sum that the federation's files name."""

import os

from flwr.serverapp import ServerApp

from benchmarks.flower_apps import task
from benchmarks.flower_apps.counted import Counted
from fl.flower.client_app import client_app
from fl.flower.server_app import say, server_app

client = client_app({"training": task.process}, task.data, os.environ.get("BENCH_FOLDERS"))
server = ServerApp()


@server.main()
def main(grid, context):
    """The run, counted."""
    counted = Counted(grid, os.environ["BENCH_RESULT"])

    def each_round(line):
        say(line)
        counted.round_over()

    rounds = int(os.environ["BENCH_ROUNDS"])
    config = {
        "federation": os.environ["BENCH_SERVER"],
        "run-dir": os.environ["BENCH_RUN"],
        "rounds": rounds,
        "round-seconds": 600.0,
    }
    server_app(task.process, task.examples, config, each_round=each_round)(grid, context)
