"""Where the commands `secagg` and `fl` begin: from here on Ctrl-C ends them in one line.

Importing numpy, `cryptography` and TensorFlow takes from a third of a second to several, and a
KeyboardInterrupt in the middle of it is a traceback, or is swallowed.  So this module, and the
packages that it is in, import only what Python has loaded already, and the handler that is set here
stands until `secagg.cli.command`, which imports numpy, sets its own.  While Python itself starts,
and reads the front page of `fl`, Ctrl-C is Python's.
"""

from __future__ import annotations

import os
import signal
import sys

INTERRUPTED = 130  # as in `secagg.cli.command`, which cannot be imported before the handler is set
_STDERR = 2


def secagg() -> None:
    """The entry point of the `secagg` command."""
    _end_on_interrupt("secagg")
    from secagg.cli import app, command

    command.ENDING.begin("secagg")
    sys.exit(app.run(sys.argv[1:]))


def fl() -> None:
    """The entry point of the `fl` command."""
    _end_on_interrupt("fl")
    from secagg.cli import command

    command.ENDING.begin("fl")
    if missing := command.missing_package():
        what = f"{missing} is not installed: pip install 'secagg[fl]'"
        sys.exit(command.refuse("fl", what))
    from fl.cli import app

    sys.exit(app.run(sys.argv[1:]))


def _end_on_interrupt(program: str) -> None:
    def end(*_: object) -> None:
        os.write(_STDERR, f"{program}: interrupted\n".encode())
        os._exit(INTERRUPTED)

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, end)
