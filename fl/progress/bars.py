"""How far a round is: the clients that train, then the rounds of the protocol that sums.

It imports no TensorFlow.
"""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

PROTOCOL = ("keys", "shares", "masks", "check", "unmask")
"""What people are told that the five rounds of the protocol are."""


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


class Counter:
    """One bar of a console, for work that is no round."""

    def __init__(self, what: str, console: Console) -> None:
        self.progress = _progress(console)
        self._task = self.progress.add_task(what, total=None)

    def count(self, done: int, total: int) -> None:
        """So much is done."""
        self.progress.update(self._task, completed=done, total=total)


class Bars:
    """The bars of one console: give `trained` and `summed` to whoever does the work.

    The spinner turns by itself, also while the server takes off masks.
    """

    def __init__(self, console: Console) -> None:
        self.progress = _progress(console)
        self._clients = self.progress.add_task("clients", total=None)
        self._sum: TaskID | None = None

    def trained(self, begun: int, total: int) -> None:
        """So many clients of the round have begun to train."""
        self.progress.update(self._clients, completed=begun, total=total)

    def summed(self, protocol_round: int, done: int, total: int) -> None:
        """So many clients have answered in this round of the protocol."""
        if self._sum is None:  # a plain sum has none
            self._sum = self.progress.add_task("", total=None)
        name = PROTOCOL[protocol_round]
        self.progress.update(self._sum, description=name, completed=done, total=total)
