"""What the groups of commands of `secagg` and `fl` have in common: help and `--version`."""

from typing import Annotated

import typer

import secagg
from secagg.cli.command import markup


def application(program: str, about: str) -> typer.Typer:
    """A command of the two, which are released as one: without words, it shows its help."""

    def show_version(asked: bool) -> None:
        if asked:
            typer.echo(f"{program} {secagg.__version__}")
            raise typer.Exit

    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=markup())

    @app.callback(help=about, invoke_without_command=True)
    def callback(
        context: typer.Context,
        version: Annotated[
            bool,
            typer.Option(
                "--version", callback=show_version, is_eager=True, help="Show the version and exit."
            ),
        ] = False,
    ) -> None:
        show_help(context)

    return app


def subgroup(about: str) -> typer.Typer:
    """A group of commands inside of a command: without words, it shows its help."""
    group = typer.Typer(help=about)
    group.callback(invoke_without_command=True)(show_help)
    return group


def show_help(context: typer.Context) -> None:
    """Show the help where no command follows, as `--help` does."""
    # Not `no_args_is_help`: that raises an error, whose message in a narrow terminal is the help.
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
