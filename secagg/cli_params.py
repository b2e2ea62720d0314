"""`secagg params`: a choice of parameters, the bounds it meets, and what a session will cost.

    secagg params --n 1000 --corrupt 0.05 --dropout 0.1
    secagg params --n 1000 --corrupt 50 --dropout 0.1 --length 1000000 --bits 24 --json

`--corrupt` is a number of clients, or with a decimal point a fraction.  Costs are estimates.
"""

import json
import math
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from secagg import costs
from secagg.errors import LocalProtocolError
from secagg.parameters import Choice, choose, choose_curious_only
from secagg.params import VectorSpec
from secagg.suites import DEFAULT, Suite

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
    n: Annotated[int, typer.Option(help="The most clients of a session.")],
    corrupt: Annotated[str, typer.Option(help="The most corrupt ones: 50, or 0.05 of n.")],
    dropout: Annotated[float, typer.Option(help="The fraction of n that may be missing.")],
    length: Annotated[int, typer.Option(help="Words of the vector, for the costs.")] = 100_000,
    bits: Annotated[int, typer.Option(help="Bits of a word, for the costs.")] = 32,
    privacy_bits: Annotated[int, typer.Option(help="Privacy fails with 2^-bits.")] = 40,
    correctness_bits: Annotated[int, typer.Option(help="A session fails with 2^-bits.")] = 20,
    grinding_bits: Annotated[int, typer.Option(help="An active server tries 2^bits rosters.")] = 64,
    min_roster: Annotated[int | None, typer.Option(help="The fewest clients of U1.")] = None,
    curious_only: Annotated[bool, typer.Option(help=CURIOUS_ONLY)] = False,
    graph: Annotated[str, typer.Option(help="auto, complete or harary.")] = "auto",
    suite: Annotated[str, typer.Option(help="Of the masks, for the costs.")] = DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Choose the graph, k and t for n clients; print what they meet and what a session costs."""
    wish: dict[str, Any] = {
        "corrupt": _number(corrupt),
        "dropout": dropout,
        "privacy_bits": privacy_bits,
        "correctness_bits": correctness_bits,
        "min_roster": min_roster,
        "graph": graph,
    }
    if curious_only:
        choice = choose_curious_only(n, **wish)
    else:
        choice = choose(n, **wish, grinding_bits=grinding_bits)
    vector = VectorSpec("vector", length, bits)
    report = Report.of(choice, vector, suite)  # type: ignore[arg-type]
    if as_json:
        typer.echo(json.dumps(_as_json(report), indent=2))
    else:
        _print(report)


def _number(text: str) -> int | float:
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        raise LocalProtocolError(f"--corrupt {text!r} is not a number") from None


def _as_json(report: Report) -> dict[str, Any]:
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

    bounds = Table("what may not happen", "required", "met")
    for bound in report.choice.bounds:
        bounds.add_row(bound.what, f"2^{bound.required:g}", _probability(bound.met))
    rounds = Table("round", "client sends", "client receives")
    for r in report.rounds:
        rounds.add_row(r.name, f"{r.up:,} B", f"{r.down:,} B")
    up, down = sum(r.up for r in report.rounds), sum(r.down for r in report.rounds)
    rounds.add_row("all", f"{up:,} B", f"{down:,} B")
    typer.echo("\n".join(_choice_lines(report.choice)))
    Console(highlight=False).print(bounds, rounds, sep="\n")
    typer.echo("\n".join(_cost_lines(report)))


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
