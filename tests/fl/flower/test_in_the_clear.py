"""A sum in the clear over machines: where a node's own file says so, never because it is asked."""

from dataclasses import replace
from fractions import Fraction

import msgspec
import numpy as np
import pytest

import fl
from fl.aggregators.contribution import Metric
from fl.aggregators.interface import SumShape
from fl.errors import FLError, TooFewClients
from fl.flower import federation
from fl.flower.clear import numbers_in
from fl.flower.coordinator import Coordinator
from fl.flower.exchange import Deadlines
from fl.flower.federation import Terms
from fl.flower.records import Clear, Reply, answer_in, request_in, write
from tests.helpers.federations import DATA, TERMS, federate, training
from tests.helpers.regression import KIND, Regression
from tests.helpers.regression import data as regression_data

PROCESS, REGRESSED = Regression(), [regression_data(u) for u in range(5)]
EMPTY = (np.zeros((0, 4), np.float32), np.zeros(0, int))
PLAIN = Terms(n=5, threshold=3, sum="plain")


def test_the_weights_are_those_of_the_simulation(tmp_path):
    process = training(fl.PlainSum(threshold=3))
    data = [*DATA[:4], EMPTY]
    transport, rounds = federate(tmp_path, process, data, PLAIN)
    state, expected = process.next(process.initialize(), data)
    reached, metrics = rounds.round(process.initialize(), transport.nodes())
    assert metrics["client_work"] == expected["client_work"]
    assert metrics["aggregator"]["kind"] == "plain"
    np.testing.assert_array_equal(reached.weights.to_vector(), state.weights.to_vector())
    rounds.close()
    assert transport.refusals == []
    assert {type(request_in(record)).__name__ for _, record in transport.sent} == {"Begin"}


def test_a_sum_of_fractions(tmp_path):
    """Of k-means, whose points are summed exactly."""
    process = fl.build_fed_kmeans(3, (4,), aggregator=fl.PlainSum(threshold=3))
    transport, rounds = federate(tmp_path, process, DATA, PLAIN, kind="k-means")
    expected = process.next(process.initialize(), DATA).state
    reached = rounds.round(process.initialize(), transport.nodes()).state
    np.testing.assert_array_equal(reached.centers, expected.centers)


def test_a_node_never_answers_in_the_clear_because_a_server_asks(tmp_path):
    transport, _ = federate(tmp_path, PROCESS, REGRESSED, TERMS, kind=KIND)
    agreed = federation.read(tmp_path / "server")
    clear = replace(agreed, terms=PLAIN)
    halves = PROCESS.server_half, PROCESS.client_half
    asking = Coordinator(clear, *halves, REGRESSED[0], transport, Deadlines())
    with pytest.raises(TooFewClients):
        asking.round(PROCESS.initialize(), transport.nodes())
    assert transport.refusals == [(u, "Begin", "NotAgreed") for u in range(5)]
    # one that says nothing of it, and hopes
    begin = request_in(transport.sent[0][1])
    hoping = msgspec.structs.replace(begin, terms=agreed.stated)
    assert isinstance(answer_in(transport.node(0).answer(write(hoping))), Reply)


def test_too_few_are_no_sum(tmp_path):
    transport, rounds = federate(tmp_path, PROCESS, REGRESSED, PLAIN, kind=KIND)
    transport.lost.update({0: 0, 1: 0, 2: 0})
    with pytest.raises(TooFewClients, match="2 clients finished, expected at least t=3"):
        rounds.round(PROCESS.initialize(), transport.nodes())


def other_author(answer):
    return msgspec.structs.replace(answer, u=(answer.u + 1) % 5)


def unknown_author(answer):
    return msgspec.structs.replace(answer, u=77)


def other_numbers(answer):
    return msgspec.structs.replace(answer, numbers=answer.numbers[:-1] + b"\x00")


def other_kind(answer):
    return Reply(answer.session, answer.numbers)


def another_session(answer):
    return msgspec.structs.replace(answer, session=bytes(16))


@pytest.mark.parametrize(
    "change", [other_author, unknown_author, other_numbers, other_kind, another_session]
)
def test_what_a_client_did_not_sign_is_left_out(tmp_path, change):
    transport, rounds = federate(tmp_path, PROCESS, REGRESSED, PLAIN, kind=KIND)
    deliver = transport.deliver

    def relay(u, record):
        answer = answer_in(deliver(u, record))
        return write(change(answer) if u == 2 and isinstance(answer, Clear) else answer)

    transport.deliver = relay
    _, metrics = rounds.round(PROCESS.initialize(), transport.nodes())
    assert metrics["aggregator"]["survivors"] == [0, 1, 3, 4]


SHAPE = SumShape(5, (2, 0), (Metric("loss", 1),))
F8 = np.dtype("<f8")
GOOD = (np.ones(2, F8).tobytes(), b"", np.ones(1, F8).tobytes(), ["3/1", *["0/1"] * 5])


def test_numbers_of_that_shape():
    vectors = numbers_in(msgspec.msgpack.encode(GOOD), SHAPE)
    assert vectors["counts"].tolist() == [3, 0, 0, 0, 0, 0]
    exact = (["1/3", "2/3"], *GOOD[1:])
    delta = numbers_in(msgspec.msgpack.encode(exact), SHAPE)["delta"]
    assert delta.tolist() == [Fraction(1, 3), Fraction(2, 3)]


WRONG = {
    "no numbers": b"\xc1",
    "three parts": GOOD[:3],
    "five parts": (*GOOD, b""),
    "half a number": (GOOD[0][:-1], *GOOD[1:]),
    "another size": (np.ones(3, F8).tobytes(), *GOOD[1:]),
    "infinite": (np.array([1, np.inf]).tobytes(), *GOOD[1:]),
    "not a number": (["nan", "1/1"], *GOOD[1:]),
    "by zero": (["1/0", "1/1"], *GOOD[1:]),
    "an exponent": (["1e999999999/1", "1/1"], *GOOD[1:]),
    "too many digits": (["9" * 5000 + "/1", "1/1"], *GOOD[1:]),
    "a negative weight": (*GOOD[:3], ["-3/1", *["0/1"] * 5]),
    "half a weight": (*GOOD[:3], ["3/2", *["0/1"] * 5]),
    "a count above 1": (*GOOD[:3], ["3/1", "2/1", *["0/1"] * 4]),
    "floats for counts": (*GOOD[:3], np.zeros(6, F8).tobytes()),
}


@pytest.mark.parametrize("case", WRONG)
def test_other_numbers_are_refused(case):
    written = WRONG[case]
    numbers = written if isinstance(written, bytes) else msgspec.msgpack.encode(written)
    with pytest.raises(FLError):
        numbers_in(numbers, SHAPE)


@pytest.mark.parametrize("wrong", [{"sum": "clear"}, {"sum": "plain", "corrupt": 1}])
def test_terms_that_cannot_be(wrong):
    with pytest.raises(FLError, match="expected"):
        Terms(n=5, **wrong)
