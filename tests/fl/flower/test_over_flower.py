"""The example over Flower itself: real SuperNodes, one of which is killed, and its simulation."""

import json
import subprocess
import sys

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


def test_a_supernode_is_killed_in_a_session_and_the_run_goes_on(tmp_path):
    nodes = found(tmp_path / "f", TERMS)
    run, server = tmp_path / "run", tmp_path / "f" / "server"

    def second_session_has_shared_keys():
        counters = list(nodes[1].glob("state/sessions/*/generation"))
        return len(counters) == 2 and any(
            18 <= int(path.read_text() or 0) <= 33 for path in counters
        )

    with Network(tmp_path, nodes) as network:
        flwr = network.run(federation=server, run_dir=run, rounds=3, round_seconds=45.0)
        network.wait_until(second_session_has_shared_keys, 420)
        network.kill("node-1")
        network.wait_until(lambda: len(lines_of(run)) == 3, 420)
        flwr.wait(60)
        assert "round 3" in network.said("run")
    first, second, third = lines_of(run)
    assert first["aggregator"]["survivors"] == [0, 1, 2, 3, 4]
    assert [each["client"] for each in second["aggregator"]["dropped"]] == [1]
    assert third["aggregator"]["survivors"] == [0, 2, 3, 4]
    assert "bit for bit" in python(tmp_path, CHECK, run, server)


def test_over_tls_a_node_that_is_not_registered_takes_no_part(tmp_path):
    nodes = found(tmp_path / "f", TERMS, clients=6)
    run, server = tmp_path / "run", tmp_path / "f" / "server"
    with Network(tmp_path, nodes, registered=range(5)) as network:
        flwr = network.run(federation=server, run_dir=run, rounds=1)
        network.wait_until(lambda: len(lines_of(run)) == 1, 420)
        flwr.wait(60)
        assert network.processes["node-5"].poll() not in (None, 0)
    (line,) = lines_of(run)
    assert line["aggregator"]["survivors"] == [0, 1, 2, 3, 4]
    assert not list(nodes[5].glob("state/sessions/*"))
    assert "bit for bit" in python(tmp_path, CHECK, run, server)
