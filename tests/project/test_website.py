"""The site has every page, public name and error, and no dead link; `make docs` builds it."""

import doctest
import importlib
import json
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from html import unescape
from pathlib import Path, PurePosixPath

import pytest

import fl
import secagg
from docs.website import errors, front, links, reference, stage
from tests.helpers.pages import PAGES, ROOT, name
from tests.helpers.reference import shown


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    stage.write(folder)
    return folder


def leaves(nav: object) -> list[str]:
    """The files that a navigation leads to."""
    if isinstance(nav, str):
        return [nav]
    entries = nav.values() if isinstance(nav, dict) else nav
    return [leaf for entry in entries for leaf in leaves(entry)]  # type: ignore[attr-defined]


def test_the_navigation_leads_to_every_page_once_and_to_no_other(pages: Path) -> None:
    led_to = leaves(stage.navigation())
    made = [str(path.relative_to(pages)) for path in pages.rglob("*.md")]
    assert sorted(led_to) == sorted(page for page in made if not page.startswith("source/"))
    assert {stage.place(PurePosixPath(name(page))) for page in PAGES} <= set(led_to)


def test_every_link_of_a_page_leads_to_what_the_site_has(pages: Path) -> None:
    for page in pages.rglob("*.md"):
        if page.is_relative_to(pages / "source"):
            continue
        here = PurePosixPath(page.relative_to(pages))
        for target in links.targets(page.read_text(encoding="utf-8"), here):
            assert (pages / target).exists(), f"{here} links to {target}"


def test_the_words_of_a_link_are_no_path() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if name(page) != "CHANGELOG.md":  # which says what was done to which file
            assert re.findall(r"\[`?docs/[^\]]*\]\(", text) == [], name(page)


def test_a_dead_link_is_no_page() -> None:
    with pytest.raises(links.DeadLink, match=r"docs/nowhere\.md: no such file"):
        links.rewritten("[x](nowhere.md#y)", PurePosixPath("docs/data.md"), stage.place)


def test_a_link_in_code_stays() -> None:
    page = "`[x](nowhere.md)`\n\n```\n[x](nowhere.md)\n```\n[x](decisions/README.md#y)\n"
    turned = links.rewritten(page, PurePosixPath("docs/data.md"), stage.place)
    assert turned == page.replace("README", "index")


def test_a_page_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stage.SECTIONS, "Start", ("README.md", "docs/nowhere.md"))
    with pytest.raises(FileNotFoundError, match=r"docs/nowhere\.md"):
        stage.sections()


def test_the_public_names_are_in_the_reference() -> None:
    assert set(secagg.__all__) - set(reference.names("secagg", ROOT)) == {
        room.partition(".")[2] for room in reference.ROOMS if room.startswith("secagg.")
    } & set(secagg.__all__)
    in_fl = set(reference.names("fl", ROOT))
    rooms = {room.partition(".")[2] for room in reference.ROOMS if room.startswith("fl.")}
    assert set(fl.__all__) == in_fl | rooms - {"flower"}  # whose modules are imported by name


@pytest.mark.parametrize(
    "room", sorted(set(reference.ROOMS) - {"fl"})
)  # whose names are just compared
def test_each_name_of_the_reference_exists(room: str) -> None:
    for each in reference.names(room, ROOT):
        thing = shown(room, each)
        for member in reference.MODULES.get(room, {}).get(each, ()):
            assert getattr(thing, member).__doc__, f"{room}.{each}.{member}"


@pytest.mark.parametrize("room", reference.ROOMS)
def test_groups_have_every_name_of_a_room_once_and_no_pattern_for_nothing(room: str) -> None:
    groups = reference.grouped(room, ROOT)
    listed = [each for found in groups.values() for each in found]
    assert sorted(listed) == sorted(reference.names(room, ROOT))
    for group, patterns in reference.GROUPS.get(room, {}).items():
        assert all(any(fnmatch(each, p) for each in groups[group]) for p in patterns), group
    assert room not in reference.GROUPS or groups[""] == []


def test_the_reference_of_fl_begins_with_the_builder_that_everybody_needs() -> None:
    assert reference.page("fl", ROOT).split("::: ")[2].startswith("fl.build_weighted_fed_avg\n")


def test_tutorials_and_decisions_stand_as_their_index_lists_them() -> None:
    for section, folder in (("Tutorials", "docs/tutorials"), ("Decisions", "docs/decisions")):
        index = PurePosixPath(folder, "README.md")
        named = links.targets((ROOT / index).read_text(encoding="utf-8"), index)
        listed = [str(path) for path in named if path.parent == index.parent and path != index]
        there = [page for page in stage.sections()[section] if page.startswith(f"{folder}/")]
        assert there == [str(index), *dict.fromkeys(p for p in listed if p.endswith(".md"))]


def test_a_decision_s_heading_begins_with_its_number() -> None:
    for page in sorted((ROOT / "docs/decisions").glob("0*.md")):
        title = stage.title_of(f"docs/decisions/{page.name}")
        assert title.startswith(f"{int(page.name[:4])}. "), page.name


def test_each_page_says_what_it_is_and_search_has_all_but_sources(pages: Path) -> None:
    titles = []
    for page in pages.rglob("*.md"):
        above, text = page.read_text(encoding="utf-8").removeprefix("---\n").split("\n---\n", 1)
        here = str(page.relative_to(pages))
        description = json.loads(re.search(r"^description: (.*)$", above, re.MULTILINE)[1])
        assert 10 < len(description) <= front.LONGEST, here
        assert not re.search(r"`|\*\*|\]\(", description), here
        given = re.search(r"^title: (.*)$", above, re.MULTILINE)
        titles.append(json.loads(given[1]) if given else front.title(text, here))
        assert ("exclude: true" in above) == here.startswith("source/"), here
    assert len(set(titles)) == len(titles)


def test_a_page_without_a_heading_has_no_title(tmp_path: Path) -> None:
    with pytest.raises(front.NoTitle, match=r"docs/x\.md: no heading, expected a line with #"):
        front.title("## Second\n\ntext", "docs/x.md")


def test_a_long_description_ends_with_a_word() -> None:
    said = front.description("# x\n\n```\ncode\n```\n\n" + "words, and more: " * 20)
    assert said.endswith(("more…", "words…", "and…"))
    assert len(said) <= front.LONGEST


@pytest.mark.parametrize("module", [links, reference, errors, stage, front])
def test_the_examples_in_docstrings(module: object) -> None:
    assert doctest.testmod(module).failed == 0


def test_docstrings_become_markdown() -> None:
    pytest.importorskip("griffe")
    docstrings = importlib.import_module("docs.website.docstrings")
    arguments = "x: the words,\n    all.\nn: how many.\nRaises LookupError."
    docstring = f"Sums.\n\n{arguments}\n\n>>> total(x, 2)\n3"
    assert docstrings.as_markdown(docstring) == (
        "Sums.\n\n- `x`: the words,\n    all.\n- `n`: how many.\n\nRaises LookupError.\n\n"
        "```pycon\n>>> total(x, 2)\n3\n```"
    )
    room = "Sums.\n\nWhat for.  Modules:\n`x` is one.\n It uses `y`.\n\nA new one is here.\n\nEnd."
    assert docstrings.without_rules(room) == "Sums.\n\nWhat for.\n\nEnd."
    prose = "What it changes is\nnothing: it reads."
    assert docstrings.as_markdown(prose) == prose


LOADED = re.compile(r"""(?:<(?:script|img|iframe)[^>]* src|<link[^>]* href)=["']?https?://[^>]*""")


def signatures(page: str) -> list[str]:
    """The lines of the signatures on a page of the reference."""
    code = re.findall(r'doc-signature highlight">.*?</code>', page, re.DOTALL)
    return [line for each in code for line in unescape(re.sub("<[^>]+>", "", each)).splitlines()]


@pytest.mark.slow
def test_it_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    """As `make docs`, with the extra `docs`."""
    pytest.importorskip("zensical")
    # mkdocs.yml names the sources from two folders below the root.
    folder = ROOT / "build" / f"docs-{tmp_path.name}"
    try:
        stage.write_all(folder)
        build = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
        done = subprocess.run(build, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        made = list((folder / "site").rglob("*.html"))
        assert len(made) > len(PAGES)
        assert [page for page in made if LOADED.search(page.read_text(encoding="utf-8"))] == []
        texts = {str(p.relative_to(folder / "site")): p.read_text(encoding="utf-8") for p in made}
        hidden = ("May be imported", "Modules:", "Rooms:")
        named = [page for page, text in texts.items() if page.startswith("reference/")]
        assert [p for p in named if any(each in texts[p] for each in hidden)] == []
        assert max(len(line) for page in named for line in signatures(texts[page])) <= 120
        logo = re.search(r'<a href="([^"]*)"[^>]*md-logo', texts["reference/fl.html"])
        assert logo is not None
        assert logo[1] == "../index.html"
        searched = (folder / "site" / "search.json").read_text(encoding="utf-8")
        assert '"location":"source/' not in searched
    finally:
        shutil.rmtree(folder, ignore_errors=True)
