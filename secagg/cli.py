"""The `secagg` command: `params`, `keygen`, `enroll` and `directory check`.

Whatever the user got wrong is one line on stderr and exit status 2.  The commands themselves are in
`cli_params` and `cli_identity`; they need the extra `cli`.
"""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import cast

from secagg.errors import SecAggError

USER_ERROR = 2


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line (default: that of the process) and exit."""
    words = sys.argv[1:] if words is None else words
    sys.exit(_run(words or ["--help"]))


def _run(words: Sequence[str]) -> int:
    for name in ("typer", "rich"):
        if find_spec(name) is None:
            return _refuse(f"{name} is not installed: pip install 'secagg[cli]'")
    import typer

    from secagg import cli_identity, cli_params, cli_version

    app = typer.Typer(help="Secure aggregation.", add_completion=False)
    cli_version.register(app)
    cli_params.register(app)
    cli_identity.register(app)
    # typer exports BadParameter only; its base is what any wrong word on the command line raises.
    usage_error = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
    try:
        return int(app(words, prog_name="secagg", standalone_mode=False) or 0)
    except SecAggError as error:
        return _refuse(str(error))
    except typer.Abort:
        return _refuse("aborted")
    except usage_error as error:
        return _refuse(error.format_message() or "a command is missing")


def _refuse(what: str) -> int:
    print(f"secagg: {what}", file=sys.stderr)
    return USER_ERROR
