"""`fl federation init`: the files of a new federation, a folder for each party."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True, kw_only=True)
class Founding:
    """What all parties agree on, and how often each takes part."""

    clients: Annotated[int, typer.Option(min=2, help="How many clients there are, ids from 0.")]
    per_session: Annotated[
        int | None, typer.Option(min=2, help="Clients of a session; by default all of them.")
    ] = None
    threshold: Annotated[int | None, typer.Option(help="How many clients must finish.")] = None
    corrupt: Annotated[
        float | None, typer.Option(help="With --dropout: the fraction that may be corrupt.")
    ] = None
    dropout: Annotated[
        float | None, typer.Option(help="The fraction that may go missing, with --corrupt.")
    ] = None
    clip: Annotated[float, typer.Option(help="The range of an update's coordinates.")] = 4.0
    exact: Annotated[bool, typer.Option("--exact", help="No range: an exact sum.")] = False
    plain: Annotated[bool, typer.Option("--plain", help="A sum in the clear, for comparison.")] = (
        False
    )
    bits: Annotated[int, typer.Option(help="The width of an update on the wire.")] = 32
    max_weight: Annotated[int, typer.Option(help="The most examples of a client.")] = 16384
    sessions: Annotated[int, typer.Option(help="How often a node takes part, at most.")] = 1000


def init(
    folder: Annotated[Path, typer.Argument(help="Where the parties' folders are made.")],
    founding: Founding,
) -> None:
    """Make server/, node-0/, node-1/, ...: keys, directory and federation.toml of each."""
    from fl.flower.enrolment import found
    from fl.flower.federation import PLAIN, SECURE, Terms

    terms = Terms(
        n=founding.per_session or founding.clients,
        threshold=founding.threshold,
        corrupt=founding.corrupt,
        dropout=founding.dropout,
        clip=None if founding.exact else founding.clip,
        bits=founding.bits,
        max_weight=founding.max_weight,
        sum=PLAIN if founding.plain else SECURE,
    )
    nodes = found(folder, terms, clients=founding.clients, sessions=founding.sessions)
    print(f"{folder / 'server'} for the server")
    for node in nodes:
        print(f"{node} for one client's host, and nobody else")
