"""The `secagg` command: `params`, `keygen`, `enroll`, `directory check` and `directory server`.

What an error is told as, and the exit codes, are in `secagg.cli.command`; the entry point is in
`fl.cli.starting`.  The commands themselves are in `cli_params` and `cli_identity`; they need the extra
`cli`.
"""

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from secagg.cli import command
from secagg.errors import LocalProtocolError, SecAggError


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line (default: that of the process) and exit."""
    sys.exit(run(sys.argv[1:] if words is None else words))


def run(words: Sequence[str]) -> int:
    """Run one command line; its exit code."""
    for name in ("typer", "rich"):
        if find_spec(name) is None:
            return command.refuse("secagg", f"{name} is not installed: pip install 'secagg[cli]'")
    import typer

    from secagg.cli import identity, params, version

    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=command.markup(),
    )
    about = "Secure aggregation: parameters of a session, identities of its parties."
    version.register(app, "secagg", about)
    params.register(app)
    identity.register(app)
    return command.run("secagg", app, words, (SecAggError,), _failed)


def _failed(error: Exception) -> bool:
    return not isinstance(error, LocalProtocolError)
