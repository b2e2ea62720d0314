"""`secagg params`: a choice of parameters, the bounds it meets, and what a session will cost.

    secagg params --n 1000 --corrupt 0.05 --dropout 0.1
    secagg params --n 1000 --corrupt 50 --dropout 0.1 --length 1000000 --bits 24 --json

`--corrupt` is a number of clients, or with a decimal point a fraction.  Costs are estimates.
"""

import json
import math
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, cast, get_args

import typer

from secagg.cli import costs
from secagg.errors import LocalProtocolError
from secagg.masks.suites import DEFAULT, Suite
from secagg.parameters import Choice, GraphChoice, choose, choose_curious_only
from secagg.params import VectorSpec

ESTIMATE = "estimated from a calibration of this machine, one core, without network and sharing"
CURIOUS_ONLY = "For a server that follows the protocol: this does not hold against any other."


@dataclass(frozen=True)
class Report:
    """Everything that is printed, either way."""

    choice: Choice
    vector: VectorSpec
    rounds: tuple[costs.RoundBytes, ...]
    client: float
    server: float
    server_dropped: float

    @classmethod
    def of(cls, choice: Choice, vector: VectorSpec, suite: Suite) -> "Report":
        """Calibrates, which takes a fifth of a second."""
        unit = costs.calibrate(suite)
        return cls(
            choice,
            vector,
            costs.client_bytes(choice, vector),
            costs.client_seconds(choice, vector, unit),
            costs.server_seconds(choice, vector, unit, 0),
            costs.server_seconds(choice, vector, unit, choice.dropped),
        )


def register(app: typer.Typer) -> None:
    """Add the command of this module to `app`."""
    app.command()(params)


def params(
    n: Annotated[int, typer.Option(help="The most clients that a session may have.")],
    corrupt: Annotated[
        str, typer.Option(help="The most corrupt clients: a number, 50, or a fraction of n, 0.05.")
    ],
    dropout: Annotated[float, typer.Option(help="The fraction of n that may drop out.")],
    length: Annotated[int, typer.Option(help="The words of the vector, for the costs.")] = 100_000,
    bits: Annotated[int, typer.Option(help="The bits of a word, for the costs.")] = 32,
    privacy_bits: Annotated[
        int, typer.Option(help="Privacy may fail with probability 2^-bits.")
    ] = 40,
    correctness_bits: Annotated[
        int, typer.Option(help="A session may fail with probability 2^-bits.")
    ] = 20,
    grinding_bits: Annotated[
        int, typer.Option(help="An active server may try 2^bits rosters before it shows one.")
    ] = 64,
    min_roster: Annotated[
        int | None, typer.Option(help="The fewest clients with which a session begins.")
    ] = None,
    curious_only: Annotated[bool, typer.Option(help=CURIOUS_ONLY)] = False,
    graph: Annotated[
        str,
        typer.Option(
            help="The graph: complete, harary, or auto, which takes the cheaper.",
            autocompletion=lambda: list(get_args(GraphChoice)),
        ),
    ] = "auto",
    suite: Annotated[
        str,
        typer.Option(
            help=f"What masks are made of, for the costs: {' or '.join(get_args(Suite))}.",
            autocompletion=lambda: list(get_args(Suite)),
        ),
    ] = DEFAULT,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON and nothing else.")
    ] = False,
) -> None:
    """Choose the graph, k and t for n clients; print what they meet and what a session costs."""
    search = choose_curious_only if curious_only else partial(choose, grinding_bits=grinding_bits)
    choice = search(
        n,
        corrupt=_number(corrupt),
        dropout=dropout,
        privacy_bits=privacy_bits,
        correctness_bits=correctness_bits,
        min_roster=min_roster,
        graph=cast(GraphChoice, graph),  # `choose` refuses others
    )
    # What makes the masks refuses another suite.
    report = Report.of(choice, VectorSpec("vector", length, bits), cast(Suite, suite))
    if as_json:
        typer.echo(json.dumps(_as_json(report)))
    else:
        _print(report)


def _number(text: str) -> int | float:
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        raise LocalProtocolError(f"--corrupt {text!r}, expected a number") from None


def _as_json(report: Report) -> dict[str, object]:
    choice = asdict(report.choice) | {
        "holds": report.choice.label,
        "leak_log2": _or_none(report.choice.leak),
        "no_sum_log2": _or_none(report.choice.no_sum),
        "bounds": [
            {"what": b.what, "required_log2": b.required, "met_log2": _or_none(b.met)}
            for b in report.choice.bounds
        ],
    }
    return choice | {
        "vector": {"length": report.vector.length, "bits": report.vector.bits},
        "client_bytes": [asdict(r) for r in report.rounds],
        "seconds": {
            "note": ESTIMATE,
            "client": report.client,
            "server": report.server,
            "server_with_dropouts": report.server_dropped,
        },
    }


def _or_none(log2: float) -> float | None:
    """JSON has no infinity: null is the logarithm of 0."""
    return None if math.isinf(log2) else log2


def _print(report: Report) -> None:
    from rich.console import Console  # slow to import, and --help and --json do without
    from rich.table import Table

    bounds, rounds = Table("what may not happen"), Table("round")
    for table, numbers in (bounds, ("required", "met")), (rounds, ("client sends", "receives")):
        for name in numbers:
            table.add_column(name, justify="right", no_wrap=True)
    for bound in report.choice.bounds:
        bounds.add_row(bound.what, f"2^{bound.required:g}", _probability(bound.met))
    for r in report.rounds:
        rounds.add_row(r.name, f"{r.up:,} B", f"{r.down:,} B")
    up, down = sum(r.up for r in report.rounds), sum(r.down for r in report.rounds)
    rounds.add_row("all", f"{up:,} B", f"{down:,} B")
    console = Console(highlight=False, markup=False)
    console.print(*_choice_lines(report.choice), bounds, rounds, *_cost_lines(report), sep="\n")


def _choice_lines(c: Choice) -> tuple[str, ...]:
    privacy, sums = _probability(c.leak), _probability(c.no_sum)
    graph = "complete graph" if c.k is None else f"ring (Harary), k={c.k}"
    lines = (
        f"{graph}, t={c.t}, min_roster={c.min_roster}, min_survivors={c.min_survivors}",
        f"n={c.n}, up to {c.corrupt} corrupt, {c.dropped} missing; {c.label}",
        f"probability of failure: privacy {privacy}, no sum in spite of enough {sums}",
    )
    if c.k is None or c.adversary == "curious":
        return lines
    return (*lines, f"a server may draw 2^{c.grinding_bits} rings; bounds are for one of them")


def _cost_lines(report: Report) -> tuple[str, ...]:
    n, vector = report.choice.n, report.vector
    down, up = (sum(getattr(r, side) for r in report.rounds) * n / 1e6 for side in ("down", "up"))
    return (
        f"vector of {vector.length:,} words of {vector.bits} bits;"
        f" the server receives {up:,.1f} MB and sends {down:,.1f} MB",
        f"CPU seconds: client {report.client:.3f}, server {report.server:.2f},"
        f" with {report.choice.dropped} dropped {report.server_dropped:.2f}",
        f"({ESTIMATE})",
    )


def _probability(log2: float) -> str:
    return "never" if math.isinf(log2) else f"2^{log2:.1f}"
