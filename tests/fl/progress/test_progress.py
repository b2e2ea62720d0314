"""Bars come by themselves where somebody looks and the work is long, and nowhere else."""

import io
import time

import numpy as np
import pytest
from rich.console import Console

import fl
from fl.aggregators.contribution import Contribution
from fl.aggregators.interface import Session
from fl.cli import app
from fl.process.simulation import for_each_client
from fl.progress import watch
from fl.progress.bars import Bars


class Screen:
    """A terminal of a test: what was written to it, by consoles on stderr."""

    def __init__(self, monkeypatch, *, terminal=True, seconds=0.0):
        self.file = io.StringIO()
        make = self._console
        self._terminal = terminal
        monkeypatch.setattr(watch, "Console", make)
        monkeypatch.setattr(watch, "SECONDS", seconds)
        monkeypatch.delenv("FL_PROGRESS", raising=False)
        monkeypatch.setenv("TERM", "xterm")

    def _console(self, *, stderr):
        assert stderr
        return Console(file=self.file, force_terminal=self._terminal, width=80)

    @property
    def text(self):
        return self.file.getvalue()

    def wait(self, word):
        end = time.monotonic() + 20
        while word not in self.text and time.monotonic() < end:
            time.sleep(0.01)
        assert word in self.text


def contribution():
    return Contribution(np.ones(2, np.float32), 1, np.zeros(1))


def sum_of(clients, **options):
    session = Session(0, 0, [bytes(32)] * clients)
    return fl.SecureSum(**options).aggregate([contribution()] * clients, session)


def train(screen, clients, word):
    """A round in which the last client takes until the word is on the screen."""

    def work(client, data):
        if client == clients - 1 and word:
            screen.wait(word)
        return contribution()

    with watch.watching():
        for_each_client([None] * clients, work)


def test_long_work_shows_how_many_clients_have_begun_and_cleans_up(monkeypatch):
    screen = Screen(monkeypatch)
    train(screen, 3, "3/3")
    assert "clients" in screen.text
    assert screen.text.rstrip("\x1b[2K\r1A").endswith("\x1b[?25h")  # the cursor is back


def test_a_long_sum_shows_the_round_of_the_protocol(monkeypatch):
    screen = Screen(monkeypatch)
    sum_of(3, observer=lambda sender, receiver, frame: screen.wait("keys") if sender == 2 else None)


def test_a_round_is_one_piece_of_work_with_its_sum(monkeypatch):
    screen, made = Screen(monkeypatch), []
    began = Bars.__init__
    monkeypatch.setattr(Bars, "__init__", lambda self, c: made.append(self) or began(self, c))
    with watch.watching():
        sum_of(3)
    sum_of(3)
    assert len(made) == 2
    assert screen.text.count("\x1b[?25l") <= 2


def test_rounds_and_evaluations_tell_it(monkeypatch, secure, clients):
    Screen(monkeypatch, seconds=60.0)
    told = []
    monkeypatch.setattr(Bars, "trained", lambda self, *seen: told.append(seen))
    monkeypatch.setattr(Bars, "summed", lambda self, *seen: told.append(seen))
    state = secure.next(secure.initialize(), clients).state
    count = len(clients)
    expected = [(u + 1, count) for u in range(count)]
    expected += [(r, u + 1, count) for r in range(5) for u in range(count)]
    assert told == expected
    told.clear()
    fl.build_fed_eval(lambda: secure.get_model(state))(state.weights, clients)
    assert told == expected


def test_short_work_shows_nothing(monkeypatch):
    screen = Screen(monkeypatch, seconds=60.0)
    train(screen, 3, "")
    sum_of(3)
    assert screen.text == ""


@pytest.mark.parametrize("how", ["pipe", "asked", "environment", "dumb", "command"])
def test_nothing_is_shown_where_nobody_looks_or_wants_it(how, monkeypatch):
    screen, made = Screen(monkeypatch, terminal=how != "pipe"), []
    monkeypatch.setattr(watch, "_Later", lambda console: made.append(console))
    monkeypatch.setattr(watch, "_allowed", how != "asked")
    if how == "environment":
        monkeypatch.setenv("FL_PROGRESS", "0")
    if how == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    if how == "command":
        with watch.unwatched():
            sum_of(3)
    else:
        sum_of(3)
    assert (made, screen.text) == ([], "")


def test_it_is_switched_off_and_on(monkeypatch):
    monkeypatch.setattr(watch, "_allowed", True)
    fl.show_progress(False)
    assert not watch._allowed
    fl.show_progress(True)
    assert watch._allowed


def test_who_brings_a_callback_has_no_bars_of_the_sum(monkeypatch):
    screen, seen = Screen(monkeypatch), []
    sum_of(3, progress=lambda *done: seen.append(done))
    assert len(seen) == 15
    assert "keys" not in screen.text


def test_a_failure_takes_the_bars_off_and_the_next_work_may_show_its_own(monkeypatch):
    screen = Screen(monkeypatch)

    @watch.watching()
    def fail():
        screen.wait("clients")
        raise fl.errors.DataError("no")

    with pytest.raises(fl.errors.DataError):
        fail()
    assert not watch._screen.locked()
    assert isinstance(watch.current(), watch._Nobody)
    train(screen, 2, "2/2")


def test_the_commands_show_only_their_own(monkeypatch, tmp_path):
    made = []
    Screen(monkeypatch)
    monkeypatch.setattr(watch, "_Later", lambda console: made.append(console))
    assert app.run(["demo", "--rounds", "1", "--clients", "4", "--dropouts", "0"]) == 0
    assert made == []
