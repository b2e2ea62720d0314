"""Writes what commands print into the pages that show it: `python -m benchmarks.listings`.

    <!-- printed by: fl train --rounds 5 --run-dir runs/first -->
    ```
    ... replaced by what the command prints ...
    ```

The commands of a page run one after another in an empty folder, in the package of this checkout.
Real data are no part of it: a command that names `--data-dir data` runs only if `--data` says where
they are, and its block stays as it is otherwise, which is said.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LISTING = re.compile(r"(<!-- printed by: (.+?) -->\n+```\n)(.*?)(```\n)", re.DOTALL)
PROGRAMS = ("fl", "secagg")  # entry points of `fl.cli.starting`, as in pyproject.toml


def main() -> None:
    """Rewrite every page that has listings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the folder that the pages call `data`")
    options = parser.parse_args()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            if options.data is not None:
                (Path(folder) / "data").symlink_to(options.data.resolve())
            page.write_text(rewritten(text, Path(folder)), encoding="utf-8")


def rewritten(text: str, folder: Path) -> str:
    """The page with the output of its commands, which run in `folder` in their order."""

    def printed(listing: re.Match[str]) -> str:
        head, command, old, tail = listing.groups()
        if "--data-dir" in command and not (folder / "data").exists():
            print(f"left as it is, for it needs --data: {command}", file=sys.stderr)
            return head + old + tail
        print(command, file=sys.stderr)
        return head + output(command, folder) + tail

    return LISTING.sub(printed, text)


def output(command: str, folder: Path) -> str:
    """What a command of the packages prints, its error output aside; SystemExit if it fails."""
    name, *arguments = shlex.split(command)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-c", f"from fl.cli import starting; starting.{name}()", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{command}: exit code {done.returncode}\n{done.stderr}")
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.strip("\n").splitlines())


if __name__ == "__main__":
    main()
