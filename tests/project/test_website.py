"""The site has every page, public name and error, and no dead link; `make docs` builds it."""

import doctest
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

import fl
import secagg
from docs.website import errors, links, reference, stage
from tests.helpers.pages import PAGES, ROOT, name


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
    assert set(fl.__all__) == in_fl | rooms


@pytest.mark.parametrize(
    "room", sorted(set(reference.ROOMS) - {"fl"})
)  # whose names are just compared
def test_each_name_of_the_reference_exists(room: str) -> None:
    module = importlib.import_module(room)
    missing = [each for each in reference.names(room, ROOT) if not hasattr(module, each)]
    assert missing == []


@pytest.mark.parametrize("module", [links, reference, errors, stage])
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
    prose = "What it changes is\nnothing: it reads."
    assert docstrings.as_markdown(prose) == prose


LOADED = re.compile(r"""(?:<(?:script|img|iframe)[^>]* src|<link[^>]* href)=["']?https?://[^>]*""")


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
    finally:
        shutil.rmtree(folder, ignore_errors=True)
