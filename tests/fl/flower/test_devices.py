"""Conditions on a device: it looks for itself, and tells no more than that it is not ready."""

import pytest

from fl.errors import AggregationError
from fl.flower import federation
from fl.flower.coordinator import Coordinator
from fl.flower.exchange import Deadlines
from fl.population import Status
from tests.helpers.federations import federate
from tests.helpers.regression import KIND, Regression, data

PROCESS, DATA = Regression(), [data(u) for u in range(5)]


def asking(root, transport, conditions):
    halves = PROCESS.server_half, PROCESS.client_half
    server = federation.read(root / "server")
    return Coordinator(server, *halves, DATA[0], transport, Deadlines(), conditions)


def test_who_does_not_meet_what_the_server_asks_takes_no_part(tmp_path):
    transport, _ = federate(tmp_path, PROCESS, DATA, kind=KIND)
    transport.statuses = dict.fromkeys(range(5), Status()) | {3: Status(charging=False)}
    rounds = asking(tmp_path, transport, ["charging", "idle"])
    _, metrics = rounds.round(PROCESS.initialize(), transport.nodes())
    assert metrics["aggregator"]["survivors"] == [0, 1, 2, 4]
    assert transport.refusals == [(3, "Begin", "NotReady")]
    assert transport.node(3)._kept.sessions == 0  # none of those it may take part in


def test_a_node_has_conditions_of_its_own(tmp_path):
    transport, rounds = federate(tmp_path, PROCESS, DATA, kind=KIND)
    path = transport.folders[1] / "federation.toml"
    path.write_text(path.read_text() + 'conditions = ["unmetered"]\n')
    transport.statuses = {1: Status(unmetered=False)}
    _, metrics = rounds.round(PROCESS.initialize(), transport.nodes())
    assert metrics["aggregator"]["survivors"] == [0, 2, 3, 4]


def test_a_node_that_does_not_know_its_status_is_not_ready(tmp_path):
    transport, _ = federate(tmp_path, PROCESS, DATA, kind=KIND)
    transport.statuses = dict.fromkeys(range(4), Status())
    rounds = asking(tmp_path, transport, ["idle"])
    _, metrics = rounds.round(PROCESS.initialize(), transport.nodes())
    assert metrics["aggregator"]["survivors"] == [0, 1, 2, 3]


def test_unknown_conditions(tmp_path):
    transport, rounds = federate(tmp_path, PROCESS, DATA, kind=KIND)
    with pytest.raises(AggregationError, match="unknown condition 'rich'"):
        asking(tmp_path, transport, ["rich"])
    rounds._conditions = ("rich",)  # a server that does not check
    transport.statuses = dict.fromkeys(range(5), Status())
    with pytest.raises(Exception, match="expected at least"):
        rounds.round(PROCESS.initialize(), transport.nodes())
    assert {why for _, _, why in transport.refusals} == {"NotAgreed"}
