"""The tables of the page: rows of text, of which the template makes HTML and escapes everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fl.progress.bars import PROTOCOL
from fl.report import numbers
from fl.report.runs import Run


@dataclass(frozen=True)
class Table:
    """The first cell of a row is its name. strong: rows that matter more."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    strong: tuple[bool, ...] = ()


def overview(runs: Sequence[Run]) -> Table:
    """A line a run; what was spent of privacy where a run has an account of it."""
    metric = numbers.metric_of(runs)
    head: tuple[str, ...]
    head = (
        "run",
        _tested(metric or "accuracy"),
        "test loss",
        "sum",
        "rounds",
        "clients",
        "kB up",
        "s a round",
    )
    rows = [_overview(run, metric) for run in runs]
    if any("privacy" in line for run in runs for line in run.rounds):
        head = (*head, "ε spent")
        rows = [(*row, _spent(run)) for row, run in zip(rows, runs, strict=True)]
    return Table(head, tuple(rows))


def _overview(run: Run, metric: str | None) -> tuple[str, ...]:
    reports = [line["aggregator"] for line in run.summed]
    cohort = numbers.mean(len(report["clients"]) for report in reports)
    summed = numbers.mean(len(report["survivors"]) for report in reports)
    sent = numbers.mean(report["bytes_up"] for report in reports)
    spent = numbers.median(map(numbers.duration, run.summed))
    failed = len(run.rounds) - len(run.summed)
    return (
        run.name,
        _text(numbers.last(run, "test", metric) if metric else None, ".4f"),
        _text(numbers.last(run, "test", "loss"), ".4f"),
        run.kind,
        f"{len(run.rounds)}" + (f", {failed} failed" if failed else ""),
        "–" if summed is None else f"{_text(summed, '.3g')} of {_text(cohort, '.3g')}",
        _text(None if sent is None else sent / 1000, ".1f"),
        _text(spent, ".3f"),
    )


def _spent(run: Run) -> str:
    spent = [line["privacy"] for line in run.rounds if "privacy" in line]
    return f"{spent[-1]['epsilon']:.3g} at δ = {spent[-1]['delta']:.1g}" if spent else "–"


def beside(secure: Run, plain: Run) -> Table:
    """Their values in the last round in which both were tested, and the differences."""
    first = numbers.metric_of([secure, plain])
    rows = []
    for metric in ([first] if first else []) + ["loss"]:
        found = numbers.last_of_both(secure, plain, metric)
        if found is not None:
            at, mine, theirs = found
            apart = f"{mine - theirs:+.2g}" if mine != theirs else "0"
            cells = (str(at), f"{mine:.4f}", f"{theirs:.4f}", apart)
            rows.append((_tested(metric), *cells))
    return Table(("metric", "round", "secure", "plain", "difference"), tuple(rows))


def dropped(run: Run) -> Table:
    """Who was gone from which round of the protocol on; rounds of which nobody was are left out."""
    head = ("round", *(f"{i} {name}" for i, name in enumerate(PROTOCOL)))
    rows = []
    for line in run.summed:
        gone = numbers.who_dropped(line)
        if gone:
            names = (", ".join(gone.get(i, ())) for i in range(len(PROTOCOL)))
            rows.append((str(line["round"]), *names))
    return Table(head, tuple(rows))


def failed(runs: Sequence[Run]) -> Table:
    """The rounds that gave nothing, and why."""
    rows = [
        (run.name, str(line["round"]), str(line["failed"]))
        for run in runs
        for line in run.rounds
        if "failed" in line
    ]
    return Table(("run", "round", "why"), tuple(rows))


def costs(run: Run) -> Table:
    """Bytes and seconds of a round by phase."""
    rows = tuple(
        (
            cost.name,
            _text(cost.bytes_up, ",.0f"),
            _text(cost.bytes_down, ",.0f"),
            _text(cost.seconds, ".4f"),
        )
        for cost in numbers.phases(run)
    )
    return Table(("phase", "bytes up", "bytes down", "seconds"), rows)


def settings(runs: Sequence[Run]) -> Table:
    """Every setting of every run; strong are those in which the runs differ."""
    names = sorted({name for run in runs for name in run.settings})
    rows = [(name, *(_setting(run, name) for run in runs)) for name in names]
    differs = [len(set(row[1:])) > 1 for row in rows]
    return Table(("setting", *(run.name for run in runs)), tuple(rows), tuple(differs))


def _setting(run: Run, name: str) -> str:
    value = run.settings.get(name)
    if value is None or value == []:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _tested(metric: str) -> str:
    return f"test {metric.replace('_', ' ')}"


def _text(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
