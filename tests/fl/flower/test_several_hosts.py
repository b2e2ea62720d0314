"""Two rounds between hosts with network stacks of their own, one at the end of a bad line."""

import json

import pytest

from fl.flower.enrolment import found
from fl.flower.federation import Terms
from tests.helpers.namespaces import HUB, Hosts, permitted
from tests.helpers.superlink import REGRESSION, Network

pytest.importorskip("flwr")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not permitted(), reason="no network namespaces may be made here"),
]


def test_a_host_at_the_end_of_a_bad_line_takes_part(tmp_path):
    nodes = found(tmp_path / "f", Terms(n=5, threshold=4, corrupt=0), kinds=["regression"])
    run = tmp_path / "run" / "metrics.jsonl"
    with Hosts(5, bad=0, loss=0.03, delay=0.1) as hosts:

        def inside(name):
            return hosts.inside(int(name[5:]) if name.startswith("node-") else None)

        network = Network(
            tmp_path, nodes, range(5), app=REGRESSION, quick=True, address=HUB, inside=inside
        )
        with network:
            network.run(federation=tmp_path / "f" / "server", run_dir=run.parent, rounds=2)
            network.wait_until(lambda: run.exists() and len(run.read_text().splitlines()) == 2)
            network.processes["run"].wait(60)
        network.wait_until(lambda: not network.left(), 30)
        assert hosts.line.lost > 0
    for line in run.read_text().splitlines():
        assert json.loads(line)["aggregator"]["survivors"] == [0, 1, 2, 3, 4]
