"""The `fl` command, also as `python -m fl`: says in one line what is not installed."""

import sys
from collections.abc import Callable
from importlib.util import find_spec

import secagg_command


def main() -> None:
    """Run the command line of this process and exit."""
    secagg_command.process("fl", load)


def load() -> Callable[[], int]:
    """Import what the command needs; it runs the command line of this process."""
    for name in ("typer", "rich"):
        if find_spec(name) is None:
            missing = f"{name} is not installed: pip install 'secagg[fl]'"
            return lambda: secagg_command.refuse("fl", missing)
    from fl import cli

    return lambda: cli.run(sys.argv[1:])


if __name__ == "__main__":
    main()
