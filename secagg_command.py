"""How the commands `secagg` and `fl` begin and end: one rule for Ctrl-C, errors and exit codes.

    0    done, or the help was shown
    1    what was asked for failed: a disk that is full, a round that no clients finished
    2    what was given is wrong: an option, a name, a file that is not there
    130  Ctrl-C

This module stands beside the packages, and at its top imports what Python has loaded already:
Ctrl-C is a line from then on, also while numpy or TensorFlow are imported. Before, while Python
itself starts, it is Python's. No program has to import this.
"""

from __future__ import annotations

import errno
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Timer
    from typing import Any, Literal, NoReturn

DONE = 0
FAILED = 1
WRONG = 2
INTERRUPTED = 130

_STDOUT, _STDERR = 1, 2
_ROOM_FOR_PANELS = 80
_CLEAN = b"\r\x1b[2K\x1b[?25h"  # a spinner's line away, the cursor back
_OF_A_PATH = {
    *(errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
    *(errno.EACCES, errno.EPERM, errno.EROFS),
}


class Interrupted(Exception):
    """Ctrl-C, from a command that has to say where: typer keeps no words of a KeyboardInterrupt."""


def secagg() -> NoReturn:
    """The entry point of the `secagg` command."""

    def load() -> Callable[[], int]:
        from secagg import cli

        return lambda: cli.run(sys.argv[1:])

    process("secagg", load)


def fl() -> NoReturn:
    """The entry point of the `fl` command."""

    def load() -> Callable[[], int]:
        from fl import __main__

        return __main__.load()

    process("fl", load)


def process(program: str, load: Callable[[], Callable[[], int]]) -> NoReturn:
    """A whole process: import what a command needs with `load`, run what it gives, and exit."""
    _on_interrupt(_ender(program, _STDERR))
    run = load()
    try:
        with RaisingInterrupts(program):
            code = run()
    except KeyboardInterrupt:
        code = interrupted(program)
    sys.exit(code)


class EndingAtOnce:
    """In its block Ctrl-C ends the process from the signal's handler: for imports.

    An exception would be lost or become another one there: extension modules that are half imported
    swallow it. Nothing may be left to be tidied up but a line of progress and the cursor.
    """

    def __init__(self, program: str) -> None:
        self._program = program

    def __enter__(self) -> None:
        self._stderr = os.dup(_STDERR)  # the block may lead stderr elsewhere
        self._before = _on_interrupt(_ender(self._program, self._stderr))

    def __exit__(self, *_: object) -> None:
        _on_interrupt(self._before)
        os.close(self._stderr)


class RaisingInterrupts:
    """In its block Ctrl-C raises KeyboardInterrupt: where there is something to tidy up.

    What the block calls may swallow the exception, as TensorFlow does in a callback and Python in a
    finaliser. The process is ended where the block goes on for GRACE, and by another Ctrl-C.
    """

    GRACE = 1.0
    """Seconds."""

    def __init__(self, program: str) -> None:
        self._end = _ender(program, _STDERR)
        self._timer: Timer | None = None

    def __enter__(self) -> None:
        self._hook, sys.unraisablehook = sys.unraisablehook, self._lost
        self._before = _on_interrupt(self._raise)

    def __exit__(self, *_: object) -> None:
        _on_interrupt(self._before)
        sys.unraisablehook = self._hook
        if self._timer is not None:
            self._timer.cancel()

    def _raise(self, *_: object) -> None:
        from threading import Timer

        if self._timer is not None:
            self._end()
        self._timer = Timer(self.GRACE, self._end)
        self._timer.daemon = True
        self._timer.start()
        raise KeyboardInterrupt

    def _lost(self, unraisable: Any) -> None:
        if unraisable.exc_type is not KeyboardInterrupt:
            self._hook(unraisable)


def run(
    program: str,
    app: Any,
    words: Sequence[str],
    refusals: tuple[type[Exception], ...],
    failed: Callable[[Exception], bool],
) -> int:
    """Run one command line of a typer application; its exit code, any error in one line.

    refusals: what the packages raise; where it has `failed`, what was given is not to blame.
    """
    import typer

    # typer exports BadParameter only; its base is what any wrong word on the command line raises.
    usage: Any = typer.BadParameter.__mro__[1]
    try:
        code = int(app(args=list(words), prog_name=program, standalone_mode=False) or DONE)
    except KeyboardInterrupt:
        return interrupted(program)
    except Interrupted as error:
        return interrupted(program, f" {error}")
    except typer.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            return interrupted(program)
        return refuse(program, "the input ended: an answer expected")
    except usage as error:
        return refuse(program, error.format_message())
    except OSError as error:
        return refuse(program, _told(error), WRONG if is_of_a_path(error) else FAILED)
    except refusals as error:
        return refuse(program, str(error), FAILED if failed(error) else WRONG)
    return interrupted(program) if code == INTERRUPTED else code


def refuse(program: str, what: str, code: int = WRONG) -> int:
    """Say in one line what is wrong; the exit code. Nothing to say is help that was the answer."""
    if not what:
        return DONE
    print(f"{program}: {' '.join(what.split())}", file=sys.stderr, flush=True)
    return code


def interrupted(program: str, where: str = "") -> int:
    """Say that Ctrl-C ended it; the exit code."""
    return refuse(program, f"interrupted{where}", INTERRUPTED)


def is_of_a_path(error: OSError) -> bool:
    """Whether the path that was given is to blame: another one would do."""
    return error.errno in _OF_A_PATH


def markup() -> Literal["rich"] | None:
    """How typer shows help: in panels where there is room, which in narrow ones cut names off."""
    from shutil import get_terminal_size

    return "rich" if get_terminal_size().columns >= _ROOM_FOR_PANELS else None


def _told(error: OSError) -> str:
    seen = error.strerror or str(error)
    return seen if error.filename is None else f"{os.fsdecode(error.filename)}: {seen}"


def _ender(program: str, stderr: int) -> Callable[..., None]:
    said = f"{program}: interrupted\n".encode()

    def end(*_: object) -> None:
        for descriptor in (_STDOUT, stderr):
            if os.isatty(descriptor):
                _write(descriptor, _CLEAN)
        _write(stderr, said)
        os._exit(INTERRUPTED)

    return end


def _write(descriptor: int, what: bytes) -> None:
    try:  # noqa: SIM105 -- contextlib is not loaded yet
        os.write(descriptor, what)
    except OSError:
        pass  # nobody reads it any more, and the process ends


def _on_interrupt(handler: Any) -> Any:
    """Set the handler, and give the one before; who ignores SIGINT, or is a thread, goes on so."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        try:  # noqa: SIM105
            signal.signal(signal.SIGINT, handler)
        except ValueError:
            pass  # only the main thread may, and only it is interrupted
    return before
