"""The directory of a run: its settings, what came of each round, and where to go on.

    settings.json    metrics.jsonl    checkpoints/    events/    model.keras    privacy.jsonl
    seen.json

After each round the line of metrics is written first and the checkpoint last. Going on from a
checkpoint cuts the lines and events of later rounds off, so each round has one in the end. Where
something cannot be written, the run ends with one line and goes on from the last checkpoint later.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fl.errors import CheckpointError
from fl.experiment import privacy_account
from fl.experiment.checkpoint import PART, Checkpoints, Found, explained, write_atomically
from fl.experiment.metrics import RunLine, as_json_has_it
from fl.experiment.run_files import METRICS, SEEN, SETTINGS
from fl.experiment.seen import Seen
from fl.experiment.settings import Setting, Settings

if TYPE_CHECKING:
    from fl.experiment.events import Events  # with TensorFlow, which is slow to import

State = TypeVar("State")


def default_run_dir(settings: Settings) -> Path:
    """A directory of its own for every choice of settings."""
    text = json.dumps(settings.as_json(), sort_keys=True).encode()
    model = Path(settings.model).stem
    digest = hashlib.sha256(text).hexdigest()[:8]
    return Path("runs") / f"{settings.dataset}-{model}-{settings.algorithm}-{digest}"


class RunDir:
    """The directory of a run, made and written to only when the run begins, with `resume`.

    settings: what the result follows from; a directory of a run with other settings is refused.
    keep: how many checkpoints stay.

    All methods raise CheckpointError where something cannot be read or written.
    """

    def __init__(self, path: str | Path, settings: Mapping[str, Setting], keep: int = 3) -> None:
        self.path = Path(path)
        self._settings = dict(settings)
        self._checkpoints = Checkpoints(self.path / "checkpoints", keep)
        self._metrics = self.path / METRICS
        self._events: Events | None = None
        with self._explained():
            if self._begun():
                self._check(self._settings)

    @property
    def model(self) -> Path:
        """Where the model is saved."""
        return self.path / "model.keras"

    @property
    def seen(self) -> Path:
        """What the server saw of a client, where a run recorded it."""
        return self.path / SEEN

    def resume(self, template: State, loaded: Mapping[str, Setting]) -> Found[State] | None:
        """Begin the run, or find the last state that is whole: None for a new run.

        template: a state of its kind.
        loaded: settings that are known only now, such as digests of the data.
        """
        self._settings.update(loaded)
        with self._explained():
            self._make()
            if self._begun():
                self._check({**self._before(), **self._settings})
            else:
                self._write_settings()
            found = self._checkpoints.latest(template)
            self._keep_rounds(found.round if found else 0)
        return found

    def record(self, metrics: RunLine) -> None:
        """Add one round's metrics to the lines and to the events."""
        with self._explained():
            with open(self._metrics, "a", encoding="utf-8") as file:
                file.write(json.dumps(as_json_has_it(metrics)) + "\n")
                file.flush()
                os.fsync(file.fileno())
            if self._events is None:
                from fl.experiment.events import Events

                self._events = Events(self.path / "events", metrics["round"])
            self._events.write(metrics)

    def record_seen(self, seen: Seen) -> None:
        """Write what the server saw of a client."""
        with self._explained():
            text = json.dumps(seen) + "\n"
            write_atomically(self.seen, lambda file: file.write(text.encode()))

    def save(self, state: object, round_number: int) -> None:
        """Write a checkpoint."""
        self._checkpoints.save(state, round_number)

    def failure(self) -> str | None:
        """Why the last round gave nothing, where no round did; None where one gave something."""
        with self._explained():
            lines = self._metrics.read_bytes().splitlines() if self._metrics.exists() else []
        reasons = [_failure(json.loads(line)) for line in lines]
        return reasons[-1] if reasons and all(reasons) else None

    def close(self) -> None:
        """Close the event file."""
        if self._events is not None:
            self._events.close()

    def _explained(self) -> AbstractContextManager[None]:
        return explained("run directory", self.path)

    def _make(self) -> None:
        """Make the folders, so that what stands in their way is known before the first round."""
        for folder in (self.path, self.path / "checkpoints", self.path / "events"):
            folder.mkdir(parents=True, exist_ok=True)
        for unfinished in self.path.glob(f"{PART}*"):  # a model, when the process was killed
            shutil.rmtree(unfinished)

    def _begun(self) -> bool:
        """Whether a round of a run was recorded here: until then its settings may change."""
        recorded = (
            self._metrics.exists()
            or (self.path / privacy_account.NAME).exists()
            or any(self.path.glob("checkpoints/*.npz"))
        )
        return recorded and (self.path / SETTINGS).exists()

    def _write_settings(self) -> None:
        text = json.dumps(self._settings, indent=1, sort_keys=True) + "\n"
        write_atomically(self.path / SETTINGS, lambda file: file.write(text.encode()))

    def _before(self) -> dict[str, Setting]:
        """The settings of the run that is here."""
        path = self.path / SETTINGS
        try:
            return dict(json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise CheckpointError(f"{path} is damaged: {error}") from error

    def _check(self, names: Iterable[str]) -> None:
        before, settings = self._before(), self._settings
        changed = [k for k in names if before.get(k) != settings.get(k)]
        if changed:
            there = ", ".join(f"{k}={before.get(k)!r} there" for k in sorted(changed))
            raise CheckpointError(
                f"{self.path} is the directory of a run with other settings ({there}), "
                "expected the same settings or another --run-dir"
            )

    def _keep_rounds(self, rounds: int) -> None:
        from fl.experiment.events import keep_rounds

        keep_rounds(self.path / "events", rounds)
        if not self._metrics.exists():
            return
        kept = [line for line in self._metrics.read_bytes().splitlines() if _round(line) <= rounds]
        write_atomically(self._metrics, lambda file: file.write(b"".join(b + b"\n" for b in kept)))


def _round(line: bytes) -> float:
    """The round of a line; beyond every round for one that was cut off when the process ended."""
    try:
        return int(json.loads(line)["round"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


def _failure(metrics: RunLine) -> str | None:
    """Why a round gave no new weights; None where it did."""
    if "failed" in metrics:
        return str(metrics["failed"])
    summed = metrics["aggregator"]
    survivors = len(summed["survivors"])
    reasons = {
        "updates that are not finite": summed["non_finite"]["update"],
        "more examples than max_weight": summed["bad_weights"],
        "no examples": summed["without_examples"],
        "malformed data": summed["malformed"],
    }
    if sum(reasons.values()) < survivors:
        return None
    counts = ", ".join(f"{count} with {reason}" for reason, count in reasons.items() if count)
    return f"none of {survivors} clients counts: {counts}"
