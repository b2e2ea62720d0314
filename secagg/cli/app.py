"""The `secagg` command: `params`, `keygen`, `enroll`, `directory check` and `directory server`.

How errors are said, and the exit codes, are in `secagg.cli.command`; the entry point is in
`fl.cli.starting`.  The commands themselves are in `params` and `identity`; they need the extra
`cli`.
"""

from collections.abc import Sequence

from secagg.cli import command
from secagg.errors import LocalProtocolError, SecAggError


def run(words: Sequence[str]) -> int:
    """Run one command line; its exit code."""
    if missing := command.missing_package():
        return command.refuse("secagg", f"{missing} is not installed: pip install 'secagg[cli]'")
    from secagg.cli import group, identity, params

    about = "Secure aggregation: parameters of a session, identities of its parties."
    app = group.application("secagg", about)
    params.register(app)
    identity.register(app)
    return command.run("secagg", app, words, (SecAggError,), _failed)


def _failed(error: Exception) -> bool:
    """Whether what was given is not to blame."""
    return not isinstance(error, LocalProtocolError)
