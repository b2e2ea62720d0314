"""Bars for what takes longer than two seconds, where somebody looks: a terminal, a notebook.

    @watching()                            around a round, an evaluation, a sum
    current().trained(...), .summed(...)   from inside: how far it is

The bars go to stderr, come after two seconds, and are gone when the work is done. Nothing is shown
in a pipe, a file or a test, within the commands, which have bars of their own, nor where
`show_progress(False)` or the environment variable FL_PROGRESS=0 says so. A notebook needs
`ipywidgets`, as everything that `rich` shows there. It imports no TensorFlow.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol

from rich.console import Console

from fl.progress.bars import Bars

SECONDS = 2.0
"""Work that takes no longer shows no bars."""

_allowed = True
_screen = threading.Lock()
"""Held by who shows bars: two threads do not draw at a time."""


def show_progress(on: bool) -> None:
    """Whether rounds, evaluations and sums show bars; they do by default.

    >>> fl.show_progress(False)
    >>> fl.show_progress(True)
    """
    global _allowed
    _allowed = bool(on)


class Watch(Protocol):
    """Whatever shows how far the work is: it is called as the work goes on."""

    def trained(self, begun: int, total: int) -> None:
        """So many clients have begun to train."""

    def summed(self, protocol_round: int, done: int, total: int) -> None:
        """So many clients have answered in this round of the protocol."""


class _Nobody:
    def trained(self, begun: int, total: int) -> None:
        pass

    def summed(self, protocol_round: int, done: int, total: int) -> None:
        pass


class _Later(Bars):
    """Bars that appear by themselves, from a thread, as the work may be silent for long."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._lock = threading.Lock()
        self._over = self._shown = False
        self._timer = threading.Timer(SECONDS, self._show)
        self._timer.daemon = True
        self._timer.start()

    def _show(self) -> None:
        with self._lock:
            if not self._over and _screen.acquire(blocking=False):
                self._shown = True
                self.progress.start()

    def close(self) -> None:
        """Take them off."""
        self._timer.cancel()
        with self._lock:
            self._over = True
            if self._shown:
                self.progress.stop()
                _screen.release()


_NOBODY = _Nobody()
_current: ContextVar[Watch] = ContextVar("watch", default=_NOBODY)


def current() -> Watch:
    """Who watches the work of this thread."""
    return _current.get()


@contextmanager
def watching() -> Iterator[None]:
    """A piece of work: with bars, unless it is part of one that is watched already."""
    console = Console(stderr=True)
    if current() is not _NOBODY or not _visible(console):
        yield
        return
    bars = _Later(console)
    token = _current.set(bars)
    try:
        yield
    finally:
        _current.reset(token)
        bars.close()


@contextmanager
def watched_by(watch: Watch) -> Iterator[None]:
    """No bars within: this watch is told how far the work is."""
    token = _current.set(watch)
    try:
        yield
    finally:
        _current.reset(token)


def unwatched() -> AbstractContextManager[None]:
    """No bars within: whoever opens it has their own."""
    return watched_by(_Nobody())


def _visible(console: Console) -> bool:
    if not _allowed or os.environ.get("FL_PROGRESS") == "0":
        return False
    if console.is_jupyter:
        return importlib.util.find_spec("ipywidgets") is not None
    return console.is_terminal and not console.is_dumb_terminal
