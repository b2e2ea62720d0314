"""What a run left, read back and checked: its settings, a line a round, what the server saw."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from fl.errors import ReportError
from fl.experiment.metrics import RunLine
from fl.experiment.run_files import METRICS, SEEN, SETTINGS
from fl.experiment.seen import Seen
from fl.experiment.settings import Setting

T = TypeVar("T")

_OF_THE_SUM = {
    "aggregator", "clip", "max_weight", "threshold", "corrupt",
    "bits", "rotate", "rotate_margin", "keep_coordinates",
}  # fmt: skip
"""Settings in which a secure run may differ from the plain one that it is held against."""


@dataclass(frozen=True)
class Run:
    """A training to show.

    >>> fl.report.Run("mine", {"algorithm": "fedavg"}, []).kind
    'none'
    """

    name: str
    settings: Mapping[str, Setting]
    rounds: Sequence[RunLine]
    seen: Seen | None = None

    @property
    def kind(self) -> str:
        """How it was summed: secure or plain; none where no round gave anything."""
        return self.summed[0]["aggregator"]["kind"] if self.summed else "none"

    @property
    def summed(self) -> list[RunLine]:
        """The rounds that gave something."""
        return [line for line in self.rounds if "aggregator" in line]

    def is_the_same_but_for_the_sum(self, other: Run) -> bool:
        """Whether only the sum differs: the one is secure and the other plain."""
        return self.kind != other.kind and _but_for_the_sum(self) == _but_for_the_sum(other)


def read_run(path: str | Path) -> Run:
    """The run in a directory. Raises ReportError where there is none, or it is damaged.

    >>> fl.report.read_run(tmp_path)
    Traceback (most recent call last):
    fl.errors.ReportError: ...: no settings.json, expected the directory of a run of `fl train`
    """
    folder = Path(path)
    if not (folder / SETTINGS).is_file():
        raise ReportError(f"{folder}: no {SETTINGS}, expected the directory of a run of `fl train`")
    settings = _checked(folder / SETTINGS, _read(folder / SETTINGS), dict[str, Any])
    rounds = list(_lines(folder / METRICS))
    if not rounds:
        raise ReportError(f"{folder} has no rounds, expected one at least")
    seen = folder / SEEN
    return Run(
        name=folder.name or str(folder.resolve().name),
        settings=settings,
        rounds=rounds,
        seen=_seen(seen) if seen.is_file() else None,
    )


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """The runs in these directories, each once; those of one name under their paths. Raises
    ReportError as `read_run`."""
    once = [*{path.resolve(): path for path in paths}.values()]
    return named_apart([read_run(path) for path in once], once)


def named_apart(runs: Sequence[Run], paths: Sequence[Path]) -> list[Run]:
    """The runs, those of one name under the paths that they were given by."""
    names = [run.name for run in runs]
    return [
        run if names.count(run.name) == 1 else Run(str(path), run.settings, run.rounds, run.seen)
        for run, path in zip(runs, paths, strict=True)
    ]


def pairs(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """(secure, plain) of those that differ in the sum alone, each run in one pair at most."""
    found: list[tuple[Run, Run]] = []
    left = [run for run in runs if run.kind == "plain"]
    for secure in (run for run in runs if run.kind == "secure"):
        plain = next((run for run in left if secure.is_the_same_but_for_the_sum(run)), None)
        if plain is not None:
            left.remove(plain)
            found.append((secure, plain))
    return found


def _but_for_the_sum(run: Run) -> dict[str, Setting]:
    return {name: value for name, value in run.settings.items() if name not in _OF_THE_SUM}


def _seen(path: Path) -> Seen:
    seen = _checked(path, _read(path), Seen)
    for of in (seen["true_update"], seen["masked"], seen["mean"]):
        if not (of["counts"] and -math.inf < of["low"] < of["high"] < math.inf):
            raise ReportError(
                f"{path} is damaged: a histogram of {len(of['counts'])} bins from {of['low']} to "
                f"{of['high']}, expected one bin at least and two finite ends"
            )
    return seen


def _lines(path: Path) -> Iterator[RunLine]:
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        if number == len(lines) and not _is_json(line):
            return  # cut off when the process ended; the run writes it anew
        yield _checked(path, line, RunLine, f", line {number}", _with_nan)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _with_nan(value: object) -> object:
    """What a run writes as null, for JSON has no word for it."""
    match value:
        case dict():
            return {key: _with_nan(item) for key, item in value.items()}
        case list():
            return [_with_nan(item) for item in value]
    return math.nan if value is None else value


def _checked(
    path: Path,
    text: str,
    kind: type[T],
    where: str = "",
    restored: Callable[[object], object] = lambda value: value,
) -> T:
    """The text, which is JSON and may have Python's NaN and Infinity, as a value of this type."""
    try:
        return msgspec.convert(restored(json.loads(text)), kind)
    except (ValueError, msgspec.ValidationError) as error:
        raise ReportError(
            f"{path}{where} is damaged: {error}, expected what a run wrote"
        ) from error
