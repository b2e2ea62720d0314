"""Writes what commands print into the pages that show it: `python -m benchmarks.listings`.

    <!-- printed by: fl train --rounds 5 --run-dir runs/first -->
    ```
    ... replaced by what the command prints ...
    ```

    <!-- difference of: examples/from_tff/a.py examples/tutorials/a.py -->
    ```diff
    ... replaced by how the second file differs from the first ...
    ```

    <!-- from: examples/tutorials/a.py: BATCH_SIZE model_fn -->
    ```python
    ... replaced by these functions, classes and constants of the file ...
    ```

The commands of a page run one after another in an empty folder that has the checkout's `examples`
and `docs`, in the package of this checkout; a script of `examples` is run by `python`, and may
draw a picture for the page. Pages may be named: all are written otherwise.
Real data are no part of it: a command that names `--data-dir data` runs only if `--data` says where
they are, and its block stays as it is otherwise, which is said.
"""

import argparse
import ast
import difflib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "tutorials").glob("*.md")),
]
LISTING = re.compile(r"(<!-- printed by: (.+?) -->\n+```\n)(.*?)(```\n)", re.DOTALL)
DIFFERENCE = re.compile(r"(<!-- difference of: (\S+) (\S+) -->\n+```diff\n)(.*?)(```\n)", re.DOTALL)
SOURCE = re.compile(r"(<!-- from: (\S+): (.+?) -->\n+```python\n)(.*?)(```\n)", re.DOTALL)
PROGRAMS = ("fl", "secagg")  # entry points of `fl.cli.starting`, as in pyproject.toml
SHOWN = ("examples", "docs")  # what a page's folder has of the checkout


def main() -> None:
    """Rewrite every page that has listings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the folder that the pages call `data`")
    parser.add_argument("pages", nargs="*", type=Path, default=PAGES, help="pages to write")
    options = parser.parse_args()
    for page in options.pages:
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            for name in SHOWN:
                (Path(folder) / name).symlink_to(ROOT / name)
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

    def compared(block: re.Match[str]) -> str:
        head, before, after, _, tail = block.groups()
        return head + difference(before, after) + tail

    return sources(DIFFERENCE.sub(compared, LISTING.sub(printed, text)))


def sources(text: str) -> str:
    """The page with what it shows of files as it stands in them."""

    def shown(block: re.Match[str]) -> str:
        head, path, names, _, tail = block.groups()
        return head + source(path, names.split()) + tail

    return SOURCE.sub(shown, text)


def source(path: str, names: list[str]) -> str:
    """Functions, classes and constants of a file of the checkout, in the order of `names`."""
    code = (ROOT / path).read_text(encoding="utf-8")
    found = {name: node for node in ast.parse(code).body for name in _defined(node)}
    shown = ""
    for name in names:
        node = found[name]
        lines = code.splitlines(keepends=True)[node.lineno - 1 : node.end_lineno]
        shown += "".join(lines) if isinstance(node, ast.Assign) else "\n\n" + "".join(lines)
    return shown.lstrip("\n")


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def difference(before: str, after: str) -> str:
    """How one file of the checkout differs from another, as `diff -u` says it."""
    texts = [(ROOT / name).read_text(encoding="utf-8").splitlines(True) for name in (before, after)]
    return "".join(difflib.unified_diff(*texts, before, after))


def output(command: str, folder: Path) -> str:
    """What a command of the packages, or a script by `python`, prints, its error output aside;
    SystemExit if it fails."""
    name, *arguments = shlex.split(command)
    if name != "python":
        arguments = ["-c", f"from fl.cli import starting; starting.{name}()", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, *arguments],
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
