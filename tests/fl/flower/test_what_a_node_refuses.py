"""A node takes nothing from its server: what differs from its own file is refused, in one line."""

import logging
from dataclasses import replace

import msgspec
import pytest

import fl
import secagg
from fl.errors import FLError, TooFewClients
from fl.flower import federation, records
from fl.flower.federation import Terms
from fl.flower.node import Node
from fl.flower.records import Begin, Refusal, Step, answer_in, request_in, write
from fl.model.architecture import model_digest
from tests.helpers.federations import DATA, TERMS, coordinator, federate, model, training
from tests.helpers.small import linear


@pytest.fixture(scope="module")
def process():
    return training()


@pytest.fixture
def played(tmp_path, process):
    """A federation after one round, and all that was sent in it."""
    transport, rounds = federate(tmp_path, process, DATA)
    rounds.round(process.initialize(), transport.nodes())
    return transport, rounds


def change(folder, old, new):
    path = folder / "federation.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def first(transport, u=0):
    """The first message to a client."""
    return request_in(next(record for to, record in transport.sent if to == u))


OTHER = {
    "clip": 8.0,
    "bits": 24,
    "max_weight": 99,
    "threshold": 4,
    "n": 6,
    "server_key": "00" * 32,
    "directory": "00" * 32,
    "another": "line\nin the log",
}


@pytest.mark.parametrize("name", OTHER)
def test_other_terms_are_refused_with_one_line(played, name, caplog):
    transport, _ = played
    begin = msgspec.structs.replace(first(transport), session=bytes(16), ended=None)
    asked = msgspec.structs.replace(begin, terms={**begin.terms, name: OTHER[name]})
    with caplog.at_level(logging.WARNING, "fl.flower"):
        answer = answer_in(transport.node(0).answer(write(asked)))
    assert answer == Refusal("NotAgreed")
    (line,) = caplog.records
    seen = repr(name) if name == "another" else f"{name} = {OTHER[name]!r}"
    assert f"the server asks for {seen}, expected" in line.getMessage()
    assert "\n" not in line.getMessage()
    assert transport.node(0)._kept.sessions == 1


def test_a_node_with_another_file_is_left_out_and_the_round_goes_on(tmp_path, process):
    transport, rounds = federate(tmp_path, process, DATA)
    change(transport.folders[2], "clip = 4.0", "clip = 2.0")
    _, metrics = rounds.round(process.initialize(), transport.nodes())
    assert metrics["aggregator"]["survivors"] == [0, 1, 3, 4]
    assert transport.refusals == [(2, "Begin", "NotAgreed")]


class Credulous(federation.Federation):
    """Agrees to whatever a server states."""

    def check(self, stated):
        pass


@pytest.mark.parametrize("name", [0, 3], ids=["its own name", "that of a later one"])
def test_a_node_that_signs_with_another_key_is_refused_by_the_server(
    tmp_path, process, caplog, name
):
    """It believes a directory of its own in which that key is right, and agrees to everything."""
    transport, rounds = federate(tmp_path, process, DATA)
    honest, folder = transport.node, transport.folders[0]
    change(folder, "client = 0", f"client = {name}")
    change(folder, "identity.pem", "other.pem")
    other = secagg.identity.create(folder / "other.pem").public_key().public_bytes_raw()

    def node(u):
        if u:
            return honest(u)
        agreed = federation.read(folder)
        keys = {v: agreed.directory.identity(v, b"") for v in range(5)} | {name: other}
        believed = secagg.Pinned(keys, agreed.server_key)
        own = Credulous(folder, agreed.terms, believed, agreed.consent)
        return Node(own, transport.halves, lambda: DATA[0])

    transport.node = node
    with caplog.at_level(logging.WARNING, "fl.flower"):
        _, metrics = rounds.round(process.initialize(), transport.nodes())
    assert metrics["aggregator"]["survivors"] == [1, 2, 3, 4]
    (line,) = caplog.records
    assert f"in the name of client {name}: the signature of round 0" in line.getMessage()


def test_a_server_with_another_file_has_no_sum(tmp_path, process):
    transport, _ = federate(tmp_path, process, DATA)
    change(tmp_path / "server", "max_weight = 100", "max_weight = 1000")
    other = coordinator(tmp_path, process, DATA[0], transport)
    with pytest.raises(TooFewClients):
        other.round(process.initialize(), transport.nodes())
    assert {why for _, _, why in transport.refusals} == {"NotAgreed"}


def test_how_often_it_takes_part(tmp_path, process):
    transport, rounds = federate(tmp_path, process, DATA, sessions=1)
    state = rounds.round(process.initialize(), transport.nodes()).state
    with pytest.raises(TooFewClients):
        rounds.round(state, transport.nodes())
    assert transport.refusals == [(u, "Begin", "NotAgreed") for u in range(5)]


def test_one_message_is_answered_once_in_any_session(played, process):
    transport, rounds = played
    with pytest.raises(TooFewClients):
        rounds.round(process.initialize(), transport.nodes())
    assert transport.refusals == [(u, "Begin", "NotAgreed") for u in range(5)]


def test_what_work_it_does(tmp_path, process):
    transport, rounds = federate(tmp_path, process, DATA)
    for folder in transport.folders:
        change(folder, '"training", ', "")
    with pytest.raises(TooFewClients):
        rounds.round(process.initialize(), transport.nodes())
    assert {why for _, _, why in transport.refusals} == {"NotAgreed"}


@pytest.mark.parametrize("allowed", [True, False])
def test_which_models_it_trains(tmp_path, process, allowed):
    digest = model_digest(model() if allowed else linear())
    transport, rounds = federate(tmp_path, process, DATA, models=[digest])
    if allowed:
        rounds.round(process.initialize(), transport.nodes())
        assert transport.refusals == []
    else:
        with pytest.raises(TooFewClients):
            rounds.round(process.initialize(), transport.nodes())


def test_a_session_begins_once(played):
    transport, _ = played
    begin = first(transport)
    other = msgspec.structs.replace(begin, message=begin.message + b"x")
    for request in (other, Step(bytes(16), b""), Step(begin.session, b"no frame")):
        answer = answer_in(transport.node(0).answer(write(request)))
        assert isinstance(answer, Refusal)
    for nonsense in (b"", b"x", write(Refusal("x"))):
        assert isinstance(answer_in(transport.node(0).answer(nonsense)), Refusal)


def test_the_end_of_a_session_is_the_servers(played):
    transport, rounds = played
    node = transport.node(0)
    session = first(transport).session
    forged = records.End(records.Closing(session, rounds._ends[101].frame))
    node.answer(write(forged))
    assert node._kept.blob(session) is not None
    rounds.close()
    assert node._kept.blob(session) is None
    assert node._kept.generation(session) > 0


def test_a_server_that_asks_for_a_clear_sum_gets_nothing(tmp_path, process):
    """The sum is the client's own: what the server's process sums by says nothing to it."""
    clear = fl.build_weighted_fed_avg(model, aggregator=fl.PlainSum(), seed=5)
    transport, rounds = federate(tmp_path, clear, DATA)
    _, metrics = rounds.round(clear.initialize(), transport.nodes())
    assert metrics["aggregator"]["kind"] == "secure"


WRONG = {
    "clip = 4.0": ("clip = -1.0", "clip=-1.0, expected"),
    "n = 5": ("n = 1", "n"),
    "bits = 32": ("bitz = 32", "bitz, expected some of n, threshold"),
    "sessions = 1000": ("sessions = -3", "sessions = -3, expected a whole number"),
    "client = 0": ("", "without client"),
    "[node]": ("[nodes]", "'nodes', expected directory"),
    "[terms]": ("[terms", "federation.toml"),
}


@pytest.mark.parametrize("old", WRONG)
def test_a_wrong_file_is_said(tmp_path, process, old):
    transport, _ = federate(tmp_path, process, DATA)
    new, said = WRONG[old]
    change(transport.folders[0], old, new)
    with pytest.raises(FLError, match=r"federation\.toml") as caught:
        federation.read(transport.folders[0])
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "terms",
    [replace(TERMS, clip=None), Terms(n=30, corrupt=0.1, dropout=0.2), Terms(n=9, threshold=0.8)],
)
def test_what_is_written_is_read(tmp_path, process, terms):
    federate(tmp_path, process, DATA, terms)
    for party in ("server", "node-0"):
        read = federation.read(tmp_path / party)
        assert read.terms == terms
        assert read.stated["n"] == terms.n
    assert isinstance(first_begin(read), Begin)


def first_begin(read):
    shape = records.Shape(read.terms.n, (1, 0), (), True)
    return request_in(write(Begin(bytes(16), b"", shape, read.stated)))
