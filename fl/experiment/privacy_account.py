"""The account of a run's privacy, in a file that only grows: `privacy.jsonl` in its directory.

    {"noise_multiplier": z}                                    the first line: that of the whole run
    {"round": 7, "clients": [...], "promised": {...}}          before clients are told to take part
    {"was": {...}}                                             after the sum: its noise, never less

What stands there was spent, whatever became of the round: a run that was killed and goes on from a
checkpoint plays a round again with other noise, and both count. So nothing is ever cut off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any, TypedDict

from fl.errors import CheckpointError, PrivacyError
from fl.experiment.checkpoint import explained
from fl.privacy.ledger import Ledger
from fl.privacy.release import Release

NAME = "privacy.jsonl"


class Spent(TypedDict):
    """What a run has spent. epsilon_seen: against whoever sees who takes part in which round."""

    epsilon: float
    epsilon_seen: float
    delta: float
    noise_multiplier: float


class Account:
    """The account of one run.

    path: the run's directory. ledger: an empty one, which is filled with what was spent before.
    multiplier: z of a new run; one that was begun goes on with its own.

    Raises CheckpointError for a file that is damaged, or cannot be read or written.
    """

    def __init__(self, path: Path, ledger: Ledger, multiplier: float) -> None:
        self._path, self._ledger = path / NAME, ledger
        self.multiplier = multiplier
        with explained("account", self._path):
            text = self._path.read_bytes() if self._path.exists() else b""
        # Of a line that was cut off when the process was killed, nothing had begun yet.
        self._whole = text.rfind(b"\n") + 1
        try:
            self._charge([json.loads(line) for line in text[: self._whole].splitlines()])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"{self._path} is damaged ({error}), expected what the run wrote: nothing else "
                "says what was spent"
            ) from error

    @property
    def spent(self) -> Spent:
        """So far."""
        return Spent(
            epsilon=self._ledger.epsilon,
            epsilon_seen=self._ledger.epsilon_seen,
            delta=self._ledger.delta,
            noise_multiplier=self.multiplier,
        )

    def reserve(self, round_number: int, clients: Sequence[str], promised: Release) -> None:
        """Write down a round before it begins. Raises PrivacyError where the budget has no room."""
        if not self._ledger.allows(clients, promised):
            raise PrivacyError(
                f"round {round_number} would take ε from {self._ledger.epsilon:.4g} to "
                f"{self._cost(clients, promised):.4g}, expected at most the budget of "
                f"{self._ledger.budget}: the training ends here"
            )
        if not self._whole:
            self._write({"noise_multiplier": self.multiplier})
        self._write({"round": round_number, "clients": list(clients), "promised": asdict(promised)})

    def settle(self, clients: Sequence[str], promised: Release, was: Release | None) -> None:
        """Charge a round that was reserved. was: its noise; None where it gave no sum, which is
        charged as it was promised.

        So is one whose noise is bounded no better: more shares of discrete Gaussians have more
        noise, and a bound that may be worse.
        """
        if was is None or self._cost(clients, was) > self._cost(clients, promised):
            self._ledger.charge(clients, promised)
            return
        self._write({"was": asdict(was)})
        self._ledger.charge(clients, was)

    def _cost(self, clients: Sequence[str], release: Release) -> float:
        return self._ledger.with_round(clients, release)

    def _charge(self, entries: Sequence[dict[str, Any]]) -> None:
        """What was spent before."""
        if entries:
            self.multiplier = float(entries[0]["noise_multiplier"])
        reserved = False
        for entry, after in pairwise([*entries[1:], {}]):
            if reserved and set(entry) == {"was"}:
                reserved = False
                continue
            release = after.get("was", entry["promised"])
            self._ledger.charge(entry["clients"], Release(**release))
            reserved = True

    def _write(self, entry: Mapping[str, Any]) -> None:
        with explained("account", self._path), open(self._path, "ab") as file:
            file.truncate(self._whole)
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
            self._whole = file.tell()
