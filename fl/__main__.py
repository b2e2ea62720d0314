"""The `fl` command, also as `python -m fl`: says in one line what is not installed."""

import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command line of this process and exit."""
    for name in ("typer", "rich"):
        if find_spec(name) is None:
            print(f"fl: {name} is not installed: pip install 'secagg[fl]'", file=sys.stderr)
            sys.exit(2)
    from fl import cli

    cli.main()


if __name__ == "__main__":
    main()
