"""One round over TLS with five nodes and five more, of which none gets in: each for its reason."""

import json

import pytest

from fl.flower.enrolment import found
from fl.flower.federation import Terms
from tests.helpers.proxy import Proxy, flip_after
from tests.helpers.superlink import REGRESSION, Network

pytest.importorskip("flwr")
pytestmark = pytest.mark.slow

OTHER_TERMS, OTHER_KEY, UNREGISTERED, CHANGED_UP, CHANGED_DOWN = range(5, 10)


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    root = tmp_path_factory.mktemp("refused")
    nodes = found(root / "f", Terms(n=5, threshold=4, corrupt=0), clients=10, kinds=["regression"])
    change(nodes[OTHER_TERMS] / "federation.toml", "clip = 4.0", "clip = 8.0")
    (nodes[OTHER_KEY] / "identity.pem").write_bytes((nodes[0] / "identity.pem").read_bytes())
    network = Network(
        root, nodes, [u for u in range(10) if u != UNREGISTERED], app=REGRESSION, quick=True
    )
    tls = root / "tls"
    with (
        Proxy(tls, network.port, up=flip_after(b"frame", 60)) as up,
        Proxy(tls, network.port, down=flip_after(b'"announced"', 300)) as down,
    ):
        network.links |= {CHANGED_UP: up.port, CHANGED_DOWN: down.port}
        with network:
            network.run(federation=root / "f" / "server", run_dir=root / "run", rounds=1)
            lines = root / "run" / "metrics.jsonl"
            network.wait_until(lambda: lines.exists() and lines.read_text())
            network.processes["run"].wait(60)
            network.ended = network.processes[f"node-{UNREGISTERED}"].poll()
        network.changed = {CHANGED_UP: up.changed, CHANGED_DOWN: down.changed}
    network.line = json.loads(lines.read_text())
    return network


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_round_is_that_of_the_five_others(story):
    assert story.line["aggregator"]["clients"] == [0, 1, 2, 3, 4]
    assert story.line["aggregator"]["survivors"] == [0, 1, 2, 3, 4]


def test_a_node_whose_terms_differ_refuses(story):
    assert "client 5 refuses: the server asks for clip = 4.0, expected 8.0" in story.said("node-5")


def test_a_registered_node_with_another_identity_key_is_not_believed(story):
    """By itself, first of all: its host learns of it. The server would refuse its signatures."""
    assert "client 6 refuses: " in story.said("node-6")


def test_a_node_that_is_not_registered_is_turned_away(story):
    assert story.ended not in (None, 0)
    assert not list(story.nodes[UNREGISTERED].glob("state/sessions/*"))


def test_what_a_proxy_changes_costs_that_node_its_place_and_nobody_time(story):
    assert min(story.changed.values()) > 0
    assert "does not match content hash" in story.said("superlink")
    assert story.line["seconds"]["round"] < 180  # as long Flower would wait for the whole reply


def test_no_process_is_left(story):
    story.wait_until(lambda: not story.left(), 30)
