"""How far a round is, in lines: Flower shows what a ServerApp prints, and bars do not pass there.

    round 2: 3 of 5 clients have trained, 14 s
    round 2: 5 of 5 clients have trained, 20 s
    round 2: shares 5 of 5, 24 s

One line when a step is over, and one every few seconds while clients are still awaited.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from fl.progress.bars import PROTOCOL

EVERY = 10.0
"""Seconds between two lines of one step."""


class Lines:
    """A watch of `fl.progress` that prints. number: of the round that is under way."""

    def __init__(
        self,
        number: Callable[[], int],
        write: Callable[[str], object] = lambda text: print(text, flush=True),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._number = number
        self._write = write
        self._clock = clock
        self._round = -1
        self._began = self._written = 0.0
        self._step = ""
        self._waiting: str | None = None

    def trained(self, begun: int, total: int) -> None:
        """So many clients have answered, with the training behind them."""
        self._show("training", f"{begun} of {total} clients have trained", begun, total)

    def summed(self, protocol_round: int, done: int, total: int) -> None:
        """So many clients have answered in this round of the protocol."""
        name = PROTOCOL[protocol_round]
        self._show(name, f"{name} {done} of {total}", done, total)

    def _show(self, step: str, text: str, done: int, total: int) -> None:
        now, number = self._clock(), self._number()
        if number != self._round:
            self._round, self._began, self._step = number, now, ""
        if step != self._step:
            if self._waiting is not None:
                self._write(self._waiting)  # not all have answered: that is how the step ended
            self._step, self._written, self._waiting = step, now, None
        line = f"round {number}: {text}, {now - self._began:.0f} s"
        if done == total or now - self._written >= EVERY:
            self._write(line)
            self._written, self._waiting = now, None
        elif done:
            self._waiting = line
