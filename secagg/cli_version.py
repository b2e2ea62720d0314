"""`secagg --version`."""

from typing import Annotated

import typer

import secagg


def register(app: typer.Typer) -> None:
    """Give the command its option, and the group its help."""
    app.callback()(_group)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"secagg {secagg.__version__}")
        raise typer.Exit


def _group(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Secure aggregation."""
