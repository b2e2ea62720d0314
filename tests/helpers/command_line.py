"""The commands as processes: Ctrl-C at a chosen moment, and what a shell asks for."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_INTERRUPTED = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
"""
_COMMAND = """
import sys
sys.argv = {words!r}
from fl.cli import starting
starting.{program}()
"""


def command(program: str, *words: str) -> list[str]:
    """What runs a command line as its entry point does."""
    return [sys.executable, "-c", _COMMAND.format(program=program, words=[program, *words])]


def environment(**changed: str) -> dict[str, str]:
    """That of this process, and where the packages are."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **changed}


def interrupted_at(module: str, program: str, *words: str) -> tuple[int, str, str]:
    """The exit code, stdout and stderr of a command that gets SIGINT where a module is imported."""
    begun = command(program, *words)
    begun[-1] = _INTERRUPTED.format(module=module) + begun[-1]
    done = subprocess.run(begun, env=environment(), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def completed(program: str, words: str) -> list[str]:
    """What bash is offered behind these words."""
    typed = f"{program} {words}"
    asked = environment(
        **{f"_{program.upper()}_COMPLETE": "complete_bash"},
        COMP_WORDS=typed,
        COMP_CWORD=str(len(typed.split(" ")) - 1),
    )
    done = subprocess.run(command(program), env=asked, capture_output=True, text=True, check=False)
    return done.stdout.split()
