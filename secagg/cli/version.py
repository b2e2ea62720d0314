"""`--version` of the commands `secagg` and `fl`, which are released as one."""

from typing import Annotated

import typer

import secagg


def register(app: typer.Typer, program: str, about: str) -> None:
    """Give a command its option, and the group its help."""

    def show_version(asked: bool) -> None:
        if asked:
            print(f"{program} {secagg.__version__}")
            raise typer.Exit

    @app.callback(help=about)
    def group(
        version: Annotated[
            bool,
            typer.Option(
                "--version", callback=show_version, is_eager=True, help="Show the version and exit."
            ),
        ] = False,
    ) -> None: ...
