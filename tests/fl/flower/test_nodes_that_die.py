"""A run of many rounds between real processes, in each of which something happens to one of them.

One SuperLink with a database and five registered SuperNodes, over TLS. The recorded rounds, played
again in one process, end with the same weights bit for bit.
"""

import json
import signal

import numpy as np
import pytest

from fl.experiment import Checkpoints
from fl.flower.enrolment import found
from fl.flower.federation import Terms
from tests.helpers.regression import Regression
from tests.helpers.regression import data as data_of
from tests.helpers.superlink import REGRESSION, Network

pytest.importorskip("flwr")
pytestmark = pytest.mark.slow

TERMS = Terms(n=5, threshold=3, corrupt=0)

KILLED = {1: (0, 0), 2: (1, 1), 3: (2, 2), 4: (3, 3), 5: (4, 4)}
"""Round -> which node is killed, and at which of the protocol's five messages to it."""

TURMOIL, LINK, RESUMED = 6, 7, 8


def lines_of(run):
    path = run / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Story:
    """The run, and what is done to it."""

    def __init__(self, root):
        self.nodes = found(root / "f", TERMS, kinds=["regression"])
        self.server, self.run = root / "f" / "server", root / "run"
        self.network = Network(root, self.nodes, range(5), app=REGRESSION, quick=True, lasting=True)

    def play(self, rounds):
        self.network.run(federation=self.server, run_dir=self.run, rounds=rounds)

    def halt(self, u, place):
        """Have a node wait there, until it is released."""
        (self.nodes[u] / "halt").write_text(f"{place}\n")

    def release(self, u):
        (self.nodes[u] / "halt").unlink()

    def wait_for(self, u, place):
        """Until a node waits there."""
        reached = self.nodes[u] / "reached"
        self.network.wait_until(
            lambda: reached.exists() and place in reached.read_text().splitlines()
        )

    def wait_for_round(self, number):
        self.network.wait_until(lambda: len(lines_of(self.run)) >= number)

    def answers(self, u):
        """(session, message of the protocol, digest of the answer), as the node noted them."""
        path = self.nodes[u] / "answers"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def kill_one_a_round(self):
        for number, (u, message) in KILLED.items():
            self.halt(u, f"{number} {message} {'after' if number % 2 else 'before'}")
        self.network.keep(*range(5))
        self.play(LINK)
        for number, (u, message) in KILLED.items():
            self.wait_for(u, f"{number} {message} {'after' if number % 2 else 'before'}")
            self.network.kill(f"node-{u}")
            if u in (1, 2):
                self.halt(u, f"{TURMOIL} {3 - u} {'before' if u == 1 else 'after'}")
            self.wait_for_round(number)

    def restart_two_and_freeze_one(self):
        """Node 2 has answered, but nobody has heard it; node 3 has been heard, and waits; node 1
        stands still with all its processes until the round is over."""
        self.wait_for(2, f"{TURMOIL} 1 after")
        self.network.wait_until(lambda: self._heard(3))
        for u in (3, 2):
            began = self._activated(u)
            self.network.stop(f"node-{u}")
            self.network.start_node(u)
            self.network.wait_until(lambda: self._activated(u) > began)  # noqa: B023  at once
        self.wait_for(1, f"{TURMOIL} 2 before")
        self.network.signal("node-1", signal.SIGSTOP)
        self.halt(4, f"{LINK} 2 before")
        self.wait_for_round(TURMOIL)
        self.release(1)
        self.network.signal("node-1", signal.SIGCONT)

    def restart_the_superlink(self):
        self.wait_for(4, f"{LINK} 2 before")
        self.network.kill("superlink")
        self.network.start_superlink()
        self.release(4)
        self.wait_for_round(LINK)

    def _activated(self, u):
        """How often this node's SuperNode was taken in by the SuperLink."""
        return self.network.said(f"node-{u}").count("SuperNode ID")

    def _heard(self, u):
        """Whether a node has answered the second message of the present round, and is at rest."""
        answered = self.answers(0)[-1][0], "1"
        if answered not in [(session, message) for session, message, _ in self.answers(u)]:
            return False
        return self.network.said(f"node-{u}").rstrip().endswith("Sent successfully")


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    root = tmp_path_factory.mktemp("story")
    story = Story(root)
    with story.network as network:
        story.kill_one_a_round()
        story.restart_two_and_freeze_one()
        story.restart_the_superlink()
        network.wait_until(lambda: network.processes["run"].poll() is not None, 90)
        story.play(RESUMED)
        story.wait_for_round(RESUMED)
        network.processes["run"].wait(60)
    return story


@pytest.mark.parametrize("number", KILLED)
def test_a_node_that_is_killed_is_a_drop_out_of_that_round_alone(story, number):
    u, message = KILLED[number]
    summed = lines_of(story.run)[number - 1]["aggregator"]
    if message == 0:
        assert summed["clients"] == summed["survivors"] == [1, 2, 3, 4]
        assert summed["dropped"] == []
        return
    assert summed["clients"] == [0, 1, 2, 3, 4]
    assert summed["dropped"] == [{"client": u, "round": message, "reason": "dropout"}]
    assert (u in summed["survivors"]) == (message > 2)


def test_who_is_restarted_resumes_or_drops_and_who_stands_still_drops(story):
    summed = lines_of(story.run)[TURMOIL - 1]["aggregator"]
    gone = {each["client"]: each["round"] for each in summed["dropped"]}
    assert gone == {2: 1, 1: 2}
    assert summed["survivors"] == [0, 3, 4]


def test_the_superlink_is_restarted_and_the_run_goes_on(story):
    line = lines_of(story.run)[LINK - 1]
    assert "failed" not in line
    assert len(line["aggregator"]["survivors"]) >= TERMS.threshold


def test_a_new_run_goes_on_with_the_next_round(story):
    assert [line["round"] for line in lines_of(story.run)] == list(range(1, RESUMED + 1))
    assert lines_of(story.run)[-1]["aggregator"]["survivors"] == [0, 1, 2, 3, 4]


def test_nobody_answers_twice(story):
    for u in range(5):
        answers = story.answers(u)
        assert len({(session, message) for session, message, _ in answers}) == len(answers)


def test_the_weights_are_those_of_one_process_bit_for_bit(story):
    process, data = Regression(), [data_of(u) for u in range(5)]
    state = process.initialize()
    for line in lines_of(story.run):
        gone = {u: 2 for u in range(5) if u not in line["aggregator"]["survivors"]}
        state = process.next(state, data, gone, TERMS.aggregator()).state
    reached = Checkpoints(story.run / "checkpoints").latest(process.initialize()).state
    assert reached.round == state.round == RESUMED
    np.testing.assert_array_equal(reached.weights, state.weights)


def test_no_process_and_no_file_is_left(story):
    story.network.wait_until(lambda: not story.network.left(), 30)
    for node in story.nodes:
        assert list(node.glob("state/**/*.blob")) == []
    root = story.run.parent
    assert [path for path in root.rglob(".part-*") if "home" not in path.parts] == []
