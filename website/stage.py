"""Everything the site is made of, in one folder: `python -m website.stage FOLDER`.

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

from website import errors, links, reference

ROOT = Path(__file__).parent.parent
HERE = Path(__file__).parent
PROJECT = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = ("README.md", *PROJECT)
SECTIONS: dict[str, tuple[str, ...]] = {
    "Start": ("README.md", "docs/your-model.md"),
    "Tutorials": ("docs/tutorials/*.md", "docs/from-r.md"),
    "Guides": (
        "docs/running.md",
        "docs/data.md",
        "docs/algorithms.md",
        "docs/simulating.md",
        "docs/embedding.md",
        "docs/flower.md",
        "docs/privacy.md",
        "docs/*.md",
    ),
    "Protocol and security": (
        "docs/protocol.md",
        "docs/security.md",
        "docs/checks.md",
        "docs/performance.md",
        "docs/scale.md",
    ),
    "Decisions": (
        "docs/choices.md",
        "docs/compared-with-tff.md",
        "docs/decisions/README.md",
        "docs/decisions/*.md",
    ),
}
"""The navigation: pages by name, in this order; a pattern takes those that are named nowhere."""
LANGUAGES = {".py": "python", ".toml": "toml", ".R": "r", ".json": "json", ".sh": "bash"}


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
        _put(pages / place(path), links.rewritten(text, path, place))
    for path in sorted(linked - {PurePosixPath(name) for name in documents()}):
        _copy(path, pages)
    for room in reference.ROOMS:
        _put(pages / f"reference/{room}.md", reference.page(room, ROOT))
    _put(pages / "reference/index.md", reference.index())
    for name, text in errors.pages(ROOT).items():
        _put(pages / "errors" / f"{name}.md", text)
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
    return str(path) if path.suffix == ".md" else f"source/{path}.md"


def _copy(path: PurePosixPath, pages: Path) -> None:
    """A file or folder that pages link to: pictures as they are, source in a page."""
    found = ROOT / path
    if place(path) in (place(PurePosixPath(name)) for name in documents()):
        return  # a folder whose README.md is a page
    if path.parts[0] == "docs":
        (pages / place(path)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(found, pages / place(path))
        return
    files = sorted(f for f in found.rglob("*") if f.is_file()) if found.is_dir() else [found]
    text = f"# {path}\n" + "".join(_source(f) for f in files if "__pycache__" not in f.parts)
    _put(pages / place(path), text)


def _source(file: Path) -> str:
    language, text = LANGUAGES.get(file.suffix, "text"), file.read_text(encoding="utf-8")
    fence = "`" * max(4, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f'\n{fence}{language} title="{file.relative_to(ROOT)}"\n{text}\n{fence}\n'


def _put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def navigation() -> list[dict[str, object]]:
    """The `nav` of the site: every page of `documents` once, then reference and project."""
    nav: list[dict[str, object]] = []
    for section, chosen in sections().items():
        entries = [{title(name): place(PurePosixPath(name))} for name in chosen]
        nav.append({section: entries})
    rooms = [{room: f"reference/{room}.md"} for room in reference.ROOMS]
    each = [{name: f"errors/{name}.md"} for name in errors.pages(ROOT) if name != "index"]
    nav.append(
        {"Reference": ["reference/index.md", *rooms, {"Errors": ["errors/index.md", *each]}]}
    )
    nav.append({"Project": [{title(name): name} for name in PROJECT]})
    return nav


def sections() -> dict[str, list[str]]:
    """The pages of each section; FileNotFoundError for one that is named and not there."""
    rest = [name for name in documents() if name not in PROJECT]
    named = {entry for entries in SECTIONS.values() for entry in entries if "*" not in entry}
    if missing := sorted(named - set(rest)):
        raise FileNotFoundError(f"{', '.join(missing)}: named in SECTIONS, expected a page")
    free = [name for name in rest if name not in named]
    return {
        section: [
            name
            for entry in entries
            for name in ([entry] if entry in named else _matching(free, entry))
        ]
        for section, entries in SECTIONS.items()
    }


def _matching(names: list[str], pattern: str) -> list[str]:
    """Those in the pattern's folder itself."""
    folder = PurePosixPath(pattern).parent
    return [name for name in names if PurePosixPath(name).parent == folder]


def title(name: str) -> str:
    """The first heading of a page."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.search(r"^# (.+)$", text, re.MULTILINE)[1].replace("`", "")


if __name__ == "__main__":
    main()
