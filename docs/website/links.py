"""The links of a page, from where they hold in the repository to where they hold in the site."""

import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

LINK = re.compile(r"(?<=\]\()([^()\s]+)(?=\))")
CODE = re.compile(r"(^ *(`{3,})[^\n]*\n.*?^ *\2 *$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
ELSEWHERE = ("https://", "http://", "mailto:", "#")


class DeadLink(Exception):
    """A page links to a file that is not there."""


def rewritten(text: str, page: PurePosixPath, place: Callable[[PurePosixPath], str]) -> str:
    """The text with every relative link turned to where the site has its target.

    Args:
        text: Markdown. Code in it is left alone.
        page: where the page stands in the repository, from its root.
        place: for a path in the repository, where it stands in the site; None is no answer.

    Raises:
        DeadLink: a link leads out of the repository, or to nothing.
    """
    here = PurePosixPath(place(page)).parent

    def turned(link: re.Match[str]) -> str:
        target, mark, anchor = link[1].partition("#")
        if link[1].startswith(ELSEWHERE):
            return link[1]
        path = PurePosixPath(os.path.normpath(page.parent / target))
        return os.path.relpath(place(path), here) + mark + anchor

    parts = CODE.split(text)  # text, code, its fence, text, code, ...
    return "".join(
        LINK.sub(turned, part) if i % 3 == 0 else part
        for i, part in enumerate(parts)
        if i % 3 != 2 and part is not None
    )


def targets(text: str, page: PurePosixPath) -> list[PurePosixPath]:
    """The paths in the repository that a page links to."""
    found: list[PurePosixPath] = []

    def noted(path: PurePosixPath) -> str:
        found.append(path)
        return str(path)

    rewritten(text, page, noted)
    return found[1:]  # the first is the page itself


def checked(path: PurePosixPath, root: Path) -> Path:
    """The file or folder of a path; DeadLink where there is none."""
    if not (root / path).exists() or path.parts[:1] == ("..",):
        raise DeadLink(f"{path}: no such file, expected a path in the repository")
    return root / path
