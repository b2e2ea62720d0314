"""The example over Flower itself: between SuperNodes, and in Flower's simulation."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from fl.flower.enrolment import found
from fl.flower.federation import Terms
from tests.helpers.superlink import Network, environment

pytest.importorskip("flwr")
pytestmark = pytest.mark.slow

TERMS = Terms(n=5, threshold=4, corrupt=0)

CHECK = """
import json, sys
import numpy as np
import fl
from fl.experiment import Checkpoints
from fl.flower.federation import read
from training import task

run, server = sys.argv[1:]
process = fl.build_weighted_fed_avg(
    task.model_fn, batch_size=16, epochs=1, seed=1, aggregator=read(server).terms.aggregator()
)
state = process.initialize()
data = [task.data(u) for u in range(5)]
for line in open(f"{run}/metrics.jsonl"):
    survivors = json.loads(line)["aggregator"]["survivors"]
    gone = {u: 2 for u in range(5) if u not in survivors}
    state = process.next(state, data, dropouts=gone).state
reached = Checkpoints(f"{run}/checkpoints").latest(process.initialize()).state
assert reached.round == state.round
assert np.array_equal(reached.weights.to_vector(), state.weights.to_vector())
print("the same bit for bit")
"""
"""The rounds that a run recorded, played again in one process."""

SIMULATE = """
import sys
from flwr.simulation import run_simulation
from fl.flower.client_app import client_app
from fl.flower.server_app import server_app
from training import task

root = sys.argv[1]
config = {"federation": f"{root}/f/server", "run-dir": f"{root}/run", "rounds": 2}
run_simulation(
    server_app(task.build, task.examples, config),
    client_app({"training": task.build}, task.data, f"{root}/f"),
    5,
    backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}},
)
"""


def python(folder, code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=400,
        env=environment(folder),
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lines_of(run):
    path = run / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_the_simulation_engine_ends_with_the_weights_of_ours(tmp_path):
    found(tmp_path / "f", TERMS)
    python(tmp_path, SIMULATE, tmp_path)
    assert "bit for bit" in python(tmp_path, CHECK, tmp_path / "run", tmp_path / "f" / "server")


@pytest.mark.parametrize("sum_name", ["secure", "plain"])
def test_between_supernodes_too(tmp_path, sum_name):
    nodes = found(tmp_path / "f", replace(TERMS, sum=sum_name, corrupt=None))
    run, server = tmp_path / "run", tmp_path / "f" / "server"
    with Network(tmp_path, nodes, quick=True) as network:
        network.run(federation=server, run_dir=run, rounds=1, aggregator=sum_name)
        network.wait_until(lambda: len(lines_of(run)) == 1, 420)
        network.processes["run"].wait(60)
        assert "5 of 5 clients have trained" in network.said("run")
    (line,) = lines_of(run)
    assert line["aggregator"]["kind"] == sum_name
    assert line["aggregator"]["survivors"] == [0, 1, 2, 3, 4]
    assert (run / "model.keras").exists()
    assert "bit for bit" in python(tmp_path, CHECK, run, server)
