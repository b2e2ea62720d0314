"""Rounds between nodes that live for one message each end as the simulation does, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest

import fl
from fl.analytics.asking import Answering, Asking, Question, values_of
from fl.errors import FLError, TooFewClients
from fl.flower import federation
from fl.flower.coordinator import Coordinator
from fl.flower.enrolment import found
from fl.flower.exchange import Deadlines
from fl.flower.questions import Survey
from fl.flower.rounds import Rounds
from fl.process.client_half import ClientHalf
from fl.process.server_half import ServerHalf
from tests.helpers.federations import DATA, TERMS, Local, coordinator, federate, training

EMPTY = (np.zeros((0, 4), np.float32), np.zeros(0, int))


def assert_same(one, other):
    assert one.round == other.round
    if isinstance(one, fl.KMeansState):
        np.testing.assert_array_equal(one.centers, other.centers)
        return
    np.testing.assert_array_equal(one.weights.to_vector(), other.weights.to_vector())
    for left, right in zip(one.optimizer, other.optimizer, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("repeat", [False, True], ids=["once", "every message twice"])
def test_a_training_ends_with_the_weights_of_the_simulation(tmp_path, repeat):
    data = [*DATA[:4], EMPTY]
    transport, rounds = federate(tmp_path / "f", training(), data, repeat=repeat)
    process = training()
    state = reached = process.initialize()
    for _ in range(3):
        state, expected = process.next(state, data)
        reached, metrics = rounds.round(reached, transport.nodes())
        assert metrics["client_work"] == expected["client_work"]
    assert_same(reached, state)
    assert transport.refusals == []


@pytest.mark.parametrize("messages", range(5))
def test_a_node_that_is_lost_after_any_message_is_a_drop_out(tmp_path, messages):
    """Node 1 answers so many messages of the second round, and no other one."""
    transport, rounds = federate(tmp_path / "f", training(), DATA)
    process = training()
    state = reached = process.initialize()
    state = process.next(state, DATA).state
    reached = rounds.round(reached, transport.nodes()).state
    transport.lost[1] = messages
    state = process.next(state, DATA, dropouts={1: messages}).state
    reached, metrics = rounds.round(reached, transport.nodes())
    assert_same(reached, state)
    expected = [{"client": 1, "round": messages, "reason": "dropout"}] if messages else []
    assert metrics["aggregator"]["dropped"] == expected
    transport.lost.clear()  # it is back, without having heard of the session's end
    state = process.next(state, DATA).state
    reached, metrics = rounds.round(reached, transport.nodes())
    assert_same(reached, state)
    assert metrics["aggregator"]["survivors"] == [0, 1, 2, 3, 4]


def test_k_means_and_an_evaluation(tmp_path):
    process = fl.build_fed_kmeans(3, (4,), aggregator=TERMS.aggregator(), memory=0.5)
    transport, rounds = federate(tmp_path / "k", process, DATA, kind="k-means")
    state, start = process.next(process.initialize(), DATA).state, process.initialize()
    assert_same(rounds.round(start, transport.nodes()).state, state)
    measure = fl.build_fed_eval(training()._make_model, aggregator=TERMS.aggregator())
    transport, rounds = federate(tmp_path / "e", measure, DATA, kind="evaluation")
    expected = measure(measure.initialize().weights, DATA)["client_work"]
    metrics = rounds.round(measure.initialize(), transport.nodes()).metrics
    assert metrics["client_work"] == expected


def test_more_are_asked_than_take_part(tmp_path):
    data = [*DATA, DATA[0], DATA[1]]
    transport, rounds = federate(tmp_path / "f", training(), data, clients=7)
    transport.lost[2] = 0
    _, metrics = rounds.round(training().initialize(), transport.nodes())
    assert metrics["aggregator"]["survivors"] == [0, 1, 3, 4, 5]


def test_too_few_are_no_sum_and_the_next_round_goes_on(tmp_path):
    transport, rounds = federate(tmp_path / "f", training(), DATA)
    transport.lost.update({0: 1, 1: 2, 2: 2})
    state = training().initialize()
    with pytest.raises(TooFewClients):
        rounds.round(state, transport.nodes())
    transport.lost.clear()
    result = rounds.round(replace(state, round=1), transport.nodes())
    assert result.metrics["aggregator"]["survivors"] == [0, 1, 2, 3, 4]


def run(root, transport, process, rounds=3):
    server = coordinator(root / "f", process, DATA[0], transport)
    return Rounds(process, server, transport, root / "run", rounds=rounds, fewest=5)


def test_a_run_goes_on_with_the_next_round_after_its_server_was_killed(tmp_path):
    process = training()
    transport, _ = federate(tmp_path / "f", process, DATA)
    lines = iter(run(tmp_path, transport, process))
    assert next(lines)["round"] == 1

    class Killed(BaseException):
        """As a signal: nothing handles it."""

    def killed(u, record):
        raise Killed

    alive, transport.deliver = transport.deliver, killed
    with pytest.raises(Killed):
        next(lines)
    transport.deliver = alive
    again = run(tmp_path, transport, process)
    seen = list(again)
    assert [line["round"] for line in seen] == [2, 3]
    assert "stopped in this round" in seen[0]["failed"]
    assert "failed" not in seen[1]
    assert again.state.round == 3
    assert list(run(tmp_path, transport, process)) == []
    assert transport.refusals == []


def test_a_question(tmp_path):
    """Of analytics, by its halves: the state is the question, and what comes out the sum."""
    sums = TERMS.aggregator()
    client, server = ClientHalf(Answering(), sums), ServerHalf(Asking(), sums)
    data = values_of([y.astype(np.float64) for _, y in DATA])
    folders = found(tmp_path, TERMS, kinds=["question"])
    transport = Local(folders, None, data)
    transport.halves = {"question": lambda: client}
    agreed = federation.read(tmp_path / "server")
    rounds = Coordinator(agreed, server, client, data[0], transport, Deadlines())
    question = Question("histogram", (-0.5, 0.5, 1.5, 2.5))
    total = rounds.round(question, transport.nodes())
    expected = np.bincount(np.concatenate([y for _, y in DATA]))
    assert total.metrics.tolist() == [0, *expected, 0]
    other = rounds.round(question._replace(numbers=(0.5, 2.5)), transport.nodes())
    assert other.metrics.tolist() == [expected[0], expected[1:].sum(), 0]


def test_a_survey(tmp_path):
    """A question a round; what was asked is not answered again."""
    questions = [
        Question("histogram", (-0.5, 0.5, 1.5, 2.5)),
        Question("weighted mean", weighted=True),
        Question("sum"),
    ]
    everybody = [y.astype(np.float64) for _, y in DATA]
    folders = found(tmp_path / "f", replace(TERMS, clip=None), kinds=["question"])
    survey = Survey(questions)
    transport = Local(folders, survey, everybody, kind="question")
    server = coordinator(tmp_path / "f", survey, [0.0], transport)
    asked = Rounds(survey, server, transport, tmp_path / "run", rounds=3, fewest=5)
    lines = list(asked)
    together = np.concatenate(everybody)
    counts, mean, total = asked.state.numbers
    assert counts == (0, *np.bincount(together.astype(int)), 0)
    assert (mean, total) == ((together.mean(),), (together.sum(),))
    assert lines[0]["client_work"]["eval"]["histogram"] == list(counts)
    with pytest.raises(TooFewClients):
        server.round(survey.initialize(), transport.nodes())


def test_no_question():
    with pytest.raises(FLError, match="expected at least one"):
        Survey([])
