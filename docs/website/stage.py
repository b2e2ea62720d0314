"""Everything the site is made of, in one folder: `python -m docs.website.stage FOLDER`.

    FOLDER/mkdocs.yml   the settings, with the navigation
    FOLDER/pages        README.md as index.md, docs, project files, reference, errors

A file that a page links to and that is no page, such as a module or an example, becomes a page with
its source, so that the site has all that its pages speak of.
"""

import argparse
import json
import re
import shutil
from pathlib import Path, PurePosixPath

from docs.website import errors, links, reference
from docs.website.front import description, front, title

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
PROJECT = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = ("README.md", *PROJECT)
HOME = "Secure aggregation and secure federated averaging"
"""The title of the first page, of which the heading is the name of the site."""
SECTIONS: dict[str, tuple[str, ...]] = {
    "Start": ("README.md", "docs/your-model.md"),
    "Tutorials": ("docs/tutorials/*.md", "docs/from-*.md"),
    "Guides": (
        "docs/running.md",
        "docs/data.md",
        "docs/algorithms.md",
        "docs/simulating.md",
        "docs/embedding.md",
        "docs/flower.md",
        "docs/deploy.md",
        "docs/scale.md",
        "docs/privacy.md",
        "docs/privacy-analytics.md",
        "docs/*.md",
    ),
    "Protocol and security": (
        "docs/protocol.md",
        "docs/security.md",
        "docs/checks.md",
        "docs/leak*.md",
        "docs/performance.md",
    ),
    "Decisions": (
        "docs/choices.md",
        "docs/compared-with-tff.md",
        "docs/decisions/README.md",
        "docs/decisions/*.md",
    ),
}
"""The navigation: pages by name, in this order; a pattern takes those that are named nowhere, in
the order in which the README.md of their folder links to them."""
LANGUAGES = {
    ".py": "python",
    ".R": "r",
    ".sh": "bash",
    ".toml": "toml",
    ".yml": "yaml",
    ".cff": "yaml",
    ".json": "json",
    ".md": "markdown",
    ".txt": "text",
    "": "text",
}
"""Of files that are shown as source, by the end of their names; others are copied."""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    write_all(parser.parse_args().folder)


def write_all(folder: Path) -> None:
    """The folder anew: settings and pages."""
    shutil.rmtree(folder, ignore_errors=True)
    write(folder / "pages")
    settings = (HERE / "mkdocs.yml").read_text(encoding="utf-8")
    nav = json.dumps(navigation(), indent=1, ensure_ascii=False)  # JSON is YAML
    (folder / "mkdocs.yml").write_text(f"{settings}nav: {nav}\n", encoding="utf-8")


def documents() -> list[str]:
    """The Markdown files of the repository that are pages."""
    found = sorted((ROOT / "docs").rglob("*.md"))
    return [*PAGES, *(str(path.relative_to(ROOT)) for path in found)]


def write(pages: Path) -> None:
    """All pages, and what they show or link to."""
    linked: set[PurePosixPath] = set()
    for name in documents():
        text, path = (ROOT / name).read_text(encoding="utf-8"), PurePosixPath(name)
        linked |= set(links.targets(text, path))
        shown = links.rewritten(text, path, place)
        _put(pages / place(path), shown, title=HOME if name == "README.md" else "")
    for path in sorted(linked - {PurePosixPath(name) for name in documents()}):
        _copy(path, pages)
    for room, what in reference.ROOMS.items():
        said = f"{room}: {what}. Every public name."
        file, text = pages / f"reference/{room}.md", reference.page(room, ROOT)
        _put(file, text, title=f"Reference of {room}", said=said)
    _put(pages / "reference/index.md", reference.index())
    words = errors.words()
    for name, text in errors.pages(ROOT).items():
        cause = words[name].cause if name in words else ""
        _put(pages / "errors" / f"{name}.md", text, said=description(cause))
    shutil.copytree(HERE / "assets", pages, dirs_exist_ok=True)


def place(path: PurePosixPath) -> str:
    """Where a path of the repository stands among the pages.

    >>> place(PurePosixPath("docs/data.md")), place(PurePosixPath("secagg/wire.py"))
    ('data.md', 'source/secagg/wire.py.md')
    """
    found = links.checked(path, ROOT)
    if path == PurePosixPath("README.md"):
        return "index.md"
    if found.is_dir():
        return place(path / "README.md") if (found / "README.md").exists() else f"source/{path}.md"
    if path.parts[0] == "docs":
        return str(path.relative_to("docs")).replace("README.md", "index.md")
    if name_of_a_page(path):
        return str(path)
    return f"source/{path}.md" if path.suffix in LANGUAGES else f"source/{path}"


def name_of_a_page(path: PurePosixPath) -> bool:
    """Whether it is one of the project's own pages, beside docs."""
    return str(path) in PAGES


def _copy(path: PurePosixPath, pages: Path) -> None:
    """A file or folder that pages link to: pictures as they are, source in a page."""
    found = ROOT / path
    if place(path) in (place(PurePosixPath(name)) for name in documents()):
        return  # a folder whose README.md is a page
    if path.parts[0] == "docs" or (found.is_file() and path.suffix not in LANGUAGES):
        (pages / place(path)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(found, pages / place(path))
        return
    files = sorted(found.rglob("*")) if found.is_dir() else [found]
    shown = [each for each in files if each.is_file() and each.suffix in LANGUAGES]
    text = f"# {path}\n" + "".join(map(_source, shown))
    _put(pages / place(path), text, said=f"The source of {path}.", searched=False)


def _source(file: Path) -> str:
    language, text = LANGUAGES.get(file.suffix, "text"), file.read_text(encoding="utf-8")
    fence = "`" * max(4, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f'\n{fence}{language} title="{file.relative_to(ROOT)}"\n{text}\n{fence}\n'


def _put(file: Path, text: str, *, title: str = "", said: str = "", searched: bool = True) -> None:
    """A page, below what `front` says of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    above = front(text, title=title, said=said, searched=searched)
    file.write_text(above + text, encoding="utf-8")


def navigation() -> list[dict[str, object]]:
    """The `nav` of the site: every page of `documents` once, then reference and project."""
    nav: list[dict[str, object]] = []
    for section, chosen in sections().items():
        entries = [{title_of(name): place(PurePosixPath(name))} for name in chosen]
        nav.append({section: entries})
    rooms = [{room: f"reference/{room}.md"} for room in reference.ROOMS]
    each = [{name: f"errors/{name}.md"} for name in errors.pages(ROOT) if name != "index"]
    nav.append(
        {"Reference": ["reference/index.md", *rooms, {"Errors": ["errors/index.md", *each]}]}
    )
    nav.append({"Project": [{title_of(name): name} for name in PROJECT]})
    return nav


def sections() -> dict[str, list[str]]:
    """The pages of each section; FileNotFoundError for one that is named and not there."""
    rest = [name for name in documents() if name not in PROJECT]
    named = {entry for entries in SECTIONS.values() for entry in entries if "*" not in entry}
    if missing := sorted(named - set(rest)):
        raise FileNotFoundError(f"{', '.join(missing)}: named in SECTIONS, expected a page")
    home = {name: _home(name) for name in rest if name not in named}
    return {
        section: [
            name
            for entry in entries
            for name in ([entry] if entry in named else _ordered(rest, home, entry))
        ]
        for section, entries in SECTIONS.items()
    }


def _ordered(rest: list[str], home: dict[str, str], pattern: str) -> list[str]:
    """The pages that a pattern takes: README.md, what it links to in that order, then others."""
    taken = [name for name in rest if home.get(name) == pattern]
    readme = PurePosixPath(pattern).parent / "README.md"
    if str(readme) not in rest:
        return taken
    text = (ROOT / readme).read_text(encoding="utf-8")
    order = [str(readme), *map(str, links.targets(text, readme))]
    return sorted(taken, key=lambda name: order.index(name) if name in order else len(order))


def _home(name: str) -> str:
    """The pattern that takes a page which is named nowhere: the longest that it fits."""
    patterns = [entry for entries in SECTIONS.values() for entry in entries if "*" in entry]
    fitting = [pattern for pattern in patterns if _fits(PurePosixPath(name), pattern)]
    if not fitting:
        raise FileNotFoundError(f"{name}: fits no pattern of SECTIONS, expected a place for it")
    return max(fitting, key=len)


def _fits(path: PurePosixPath, pattern: str) -> bool:
    return path.match(pattern) and path.parent == PurePosixPath(pattern).parent


def title_of(name: str) -> str:
    """The first heading of a page of the repository."""
    return title((ROOT / name).read_text(encoding="utf-8"), name)


if __name__ == "__main__":
    main()
