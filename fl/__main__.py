"""The `fl` command, also as `python -m fl`: says in one line what is not installed."""

import sys
from importlib.util import find_spec

from fl.cli import starting
from secagg.cli import command


def run() -> int:
    """Run the command line of this process; its exit code."""
    for name in ("typer", "rich"):
        if find_spec(name) is None:
            return command.refuse("fl", f"{name} is not installed: pip install 'secagg[fl]'")
    from fl.cli import app

    return app.run(sys.argv[1:])


def main() -> None:
    """Run the command line of this process and exit."""
    starting.fl()


if __name__ == "__main__":
    main()
