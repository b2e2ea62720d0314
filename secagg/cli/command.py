"""How the commands `secagg` and `fl` begin and end: one rule for Ctrl-C, errors and exit codes.

    0    done, or the help was shown
    1    what was asked for failed: a disk that is full, a round that no clients finished
    2    what was given is wrong: an option, a name, a file that is not there
    130  Ctrl-C

Both commands begin in `fl.cli.starting`, which sees to Ctrl-C while this package is imported.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from shutil import get_terminal_size
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    import typer

Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers | None

DONE = 0
FAILED = 1
WRONG = 2
INTERRUPTED = 130

_STDOUT, _STDERR = 1, 2
_ROOM_FOR_PANELS = 80
_CLEAN = b"\r\x1b[2K\x1b[?25h"  # a spinner's line away, the cursor back
_OF_A_PATH = {
    *(errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENXIO, errno.ENODEV, errno.EINVAL),
}


class Ending:
    """What Ctrl-C does to the process of a command: it ends at once, in one line.

    No exception is raised: while extension modules are imported, and where TensorFlow traces a
    function, a KeyboardInterrupt is swallowed, or becomes another error. What a command writes is
    whole at any moment, as it has to be for `kill -9` and a power cut.

    where: said behind "interrupted". tidy: called before the process ends, for PATIENCE at most.
    """

    PATIENCE = 2.0
    """Seconds."""

    def __init__(self) -> None:
        self.where = ""
        self.tidy: list[Callable[[], object]] = []
        self._program = ""
        self._stderr = _STDERR

    def begin(self, program: str) -> None:
        """From now on Ctrl-C ends the process; what it says begins with the program's name."""
        self._program = program
        self._stderr = os.dup(_STDERR)  # the command may lead stderr elsewhere
        on_interrupt(self._end)

    def _end(self, *_: object) -> None:
        on_interrupt(signal.SIG_IGN)
        if self.tidy:
            # What was interrupted may hold a lock, and would wait for itself.
            tidying = Thread(target=self._tidy, daemon=True)
            tidying.start()
            tidying.join(self.PATIENCE)
        for descriptor in (_STDOUT, self._stderr):
            if os.isatty(descriptor):
                _write(descriptor, _CLEAN)
        _write(self._stderr, f"{self._program}: interrupted{self.where}\n".encode())
        os._exit(INTERRUPTED)

    def _tidy(self) -> None:
        for tidy in self.tidy:
            tidy()


ENDING = Ending()
"""Of this process, if it is that of a command."""


def run(
    program: str,
    app: typer.Typer,
    words: Sequence[str],
    refusals: tuple[type[Exception], ...],
    failed: Callable[[Exception], bool],
) -> int:
    """Run one command line of a typer application; its exit code, any error in one line.

    refusals: what the packages raise; where it has `failed`, what was given is not to blame.
    """
    import typer

    wrong_words = _errors_of_typer()
    ENDING.where = ""
    ENDING.tidy.clear()
    try:
        code = int(app(args=list(words), prog_name=program, standalone_mode=False) or DONE)
    except typer.Abort as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            return interrupted(program)
        return refuse(program, "the input ended, expected an answer")
    except wrong_words as error:
        return refuse(program, error.format_message())
    except OSError as error:
        return refuse(program, _of_os(error), WRONG if is_of_a_path(error) else FAILED)
    except refusals as error:
        return refuse(program, str(error), FAILED if failed(error) else WRONG)
    return interrupted(program) if code == INTERRUPTED else code


def missing_package() -> str | None:
    """The first of the packages that a command needs which is not installed."""
    return next((name for name in ("typer", "rich") if find_spec(name) is None), None)


def _errors_of_typer() -> type[typer.TyperException]:
    """What typer raises for words that it does not take: until 0.25 it was click that did."""
    import typer

    if hasattr(typer, "TyperException"):
        return typer.TyperException
    return cast("type[typer.TyperException]", import_module("click").ClickException)


def refuse(program: str, what: str, code: int = WRONG) -> int:
    """Say in one line what is wrong; the exit code."""
    print(f"{program}: {' '.join(what.split())}", file=sys.stderr, flush=True)
    return code


def interrupted(program: str) -> int:
    """Say that Ctrl-C ended it; the exit code."""
    return refuse(program, f"interrupted{ENDING.where}", INTERRUPTED)


def is_of_a_path(error: OSError) -> bool:
    """Whether the path that was given is to blame: another one would do."""
    return error.errno in _OF_A_PATH


def markup() -> Literal["rich"] | None:
    """How typer shows help: in panels where there is room, which in narrow ones cut names off."""
    return "rich" if get_terminal_size().columns >= _ROOM_FOR_PANELS else None


def _of_os(error: OSError) -> str:
    """Which file, and what is the matter with it."""
    seen = error.strerror or str(error)
    return seen if error.filename is None else f"{os.fsdecode(error.filename)}: {seen}"


def _write(descriptor: int, what: bytes) -> None:
    with contextlib.suppress(OSError):  # nobody reads it any more, and the process ends
        os.write(descriptor, what)


@contextlib.contextmanager
def interrupt_raises() -> Iterator[None]:
    """Within, Ctrl-C is a KeyboardInterrupt: a prompt shows again what is typed before it ends."""
    before = signal.getsignal(signal.SIGINT)
    on_interrupt(signal.default_int_handler)
    try:
        yield
    finally:
        on_interrupt(before)


def on_interrupt(handler: Handler) -> None:
    """Set the handler of SIGINT; a process that ignores it goes on ignoring it."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)
