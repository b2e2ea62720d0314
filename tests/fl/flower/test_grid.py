"""Replies come as they are there, and who falls silent holds up nobody else."""

import threading

import pytest

from fl.flower.carried import pack

flwr_app = pytest.importorskip("flwr.app")

from flwr.supercore.task_identity import TaskIdentity  # noqa: E402

from fl.flower.grid import GridTransport  # noqa: E402


class Grid:
    """In place of Flower's: each reply is what `replies` says of its node."""

    def __init__(self, replies):
        self.replies, self.sent, self.never = replies, {}, threading.Event()

    def get_node_ids(self):
        return [3, 1, 2]

    def push_messages(self, messages):
        for number, message in enumerate(messages):
            message.metadata.__dict__["_message_id"] = f"m{number}"
            self.sent[f"m{number}"] = message
        return [*self.sent]

    def pull_messages(self, names):
        pulled = []
        for message in map(self.sent.get, names):
            reply = self.replies[message.metadata.dst_node_id]
            if reply == "never":
                self.never.wait()
            elif isinstance(reply, Exception):
                raise reply
            elif isinstance(reply, bytes):
                pulled.append(flwr_app.Message(pack(reply), reply_to=message))
            elif isinstance(reply, int):
                error = flwr_app.Error(code=reply)
                pulled.append(flwr_app.Message(error, reply_to=message))
        return pulled


@pytest.fixture
def exchange(monkeypatch):
    for name in ("_run_id", "_task_id", "_node_id"):  # the SuperLink would
        monkeypatch.setattr(TaskIdentity, name, 1)
    grids = []

    def over(replies, seconds):
        grids.append(Grid(replies))
        transport = GridTransport(grids[-1], poll=0.01)
        answers = transport.exchange(dict.fromkeys(replies, b"question"), seconds)
        return [answer for answer in answers if answer is not None]

    yield over
    for grid in grids:
        grid.never.set()


def test_all_answer(exchange):
    assert sorted(exchange({1: b"one", 2: b"two"}, 30.0)) == [(1, b"one"), (2, b"two")]


def test_a_reply_that_never_comes_whole_holds_up_nobody(exchange):
    assert exchange({1: "never", 2: b"two"}, 0.7) == [(2, b"two")]


def test_an_error_is_silence(exchange):
    assert exchange({1: 5, 2: b"two", 3: None}, 0.5) == [(2, b"two")]


def test_what_breaks_the_connection_is_raised(exchange):
    with pytest.raises(ConnectionError, match="gone"):
        exchange({1: ConnectionError("gone")}, 30.0)


def test_nodes():
    assert GridTransport(Grid({})).nodes() == [1, 2, 3]
