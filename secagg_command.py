"""How the commands `secagg` and `fl` begin and end: one rule for Ctrl-C, errors and exit codes.

    0    done, or the help was shown
    1    what was asked for failed: a disk that is full, a round that no clients finished
    2    what was given is wrong: an option, a name, a file that is not there
    130  Ctrl-C

This module stands beside the packages and imports nothing of them: while they and what they need
are imported, Ctrl-C is a line already. It is no part of what a program imports.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal, NoReturn

DONE = 0
FAILED = 1
WRONG = 2
INTERRUPTED = 130

_STDOUT, _STDERR = 1, 2
_ROOM_FOR_PANELS = 80
_CLEAN = b"\r\x1b[2K\x1b[?25h"  # a spinner's line away, the cursor back
_A_WRONG_PATH = {
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


def process(program: str, load: Callable[[], Callable[[], int]]) -> NoReturn:
    """A whole process: import what a command needs with `load`, run what it gives, and exit."""
    _on_interrupt(_ender(program, _STDERR))
    run = load()
    try:
        with raising_interrupts():
            code = run()
    except KeyboardInterrupt:
        code = interrupted(program)
    sys.exit(code)


@contextmanager
def ending_at_once(program: str) -> Iterator[None]:
    """In here Ctrl-C ends the process from the signal's handler: for imports.

    An exception would be lost or become another one there: extension modules that are half imported
    swallow it. Nothing may be left to be tidied up but a line of progress and the cursor.
    """
    try:
        stderr = os.dup(_STDERR)  # the block may lead stderr elsewhere
    except OSError:  # there is none
        yield
        return
    try:
        with _interrupts_by(_ender(program, stderr)):
            yield
    finally:
        os.close(stderr)


@contextmanager
def raising_interrupts() -> Iterator[None]:
    """In here Ctrl-C raises KeyboardInterrupt: where there is something to tidy up.

    Python swallows an exception in a finaliser; a KeyboardInterrupt that was is raised again.
    """

    def again(lost: Any) -> None:
        if lost.exc_type is KeyboardInterrupt:
            signal.raise_signal(signal.SIGINT)
        else:
            hook(lost)

    hook, sys.unraisablehook = sys.unraisablehook, again
    try:
        with _interrupts_by(signal.default_int_handler):
            yield
    finally:
        sys.unraisablehook = hook


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
        return refuse(program, _told(error), WRONG if a_wrong_path(error) else FAILED)
    except refusals as error:
        return refuse(program, str(error), FAILED if failed(error) else WRONG)
    return interrupted(program) if code == INTERRUPTED else code


def markup() -> Literal["rich"] | None:
    """How typer shows help: in panels where there is room, which in narrow ones cut names off."""
    return "rich" if shutil.get_terminal_size().columns >= _ROOM_FOR_PANELS else None


def refuse(program: str, what: str, code: int = WRONG) -> int:
    """Say in one line what is wrong; the exit code. Nothing to say is help that was the answer."""
    if not what:
        return DONE
    print(f"{program}: {' '.join(what.split())}", file=sys.stderr, flush=True)
    return code


def interrupted(program: str, where: str = "") -> int:
    """Say that Ctrl-C ended it; the exit code."""
    return refuse(program, f"interrupted{where}", INTERRUPTED)


def a_wrong_path(error: OSError) -> bool:
    """Whether another path than the one that was given would do."""
    return error.errno in _A_WRONG_PATH


def _told(error: OSError) -> str:
    seen = error.strerror or str(error)
    return seen if error.filename is None else f"{os.fsdecode(error.filename)}: {seen}"


def _ender(program: str, stderr: int) -> Callable[..., None]:
    def end(*_: object) -> None:
        for descriptor in (_STDOUT, stderr):
            with suppress(OSError):
                if os.isatty(descriptor):
                    os.write(descriptor, _CLEAN)
        with suppress(OSError):
            os.write(stderr, f"{program}: interrupted\n".encode())
        os._exit(INTERRUPTED)

    return end


@contextmanager
def _interrupts_by(handler: Callable[..., None]) -> Iterator[None]:
    before = _on_interrupt(handler)
    try:
        yield
    finally:
        _on_interrupt(before)


def _on_interrupt(handler: Any) -> Any:
    """Set the handler, and give the one before; who ignores SIGINT, or is a thread, goes on so."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        return before
    return signal.signal(signal.SIGINT, handler)
