"""What the pages show works: every block of Python runs, every command line names what there is.

The blocks of a page run one after the other, in an empty folder, and share their names.
"""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from fl.cli.app import app as fl_app
from secagg.cli import group, identity, params
from tests.helpers.pages import PAGES, ROOT, Block, blocks, name, python_of

APART = {"docs/algorithms.md"}  # tests/fl/docs: there each section runs by itself, after the first
LANGUAGES = {"", "python", "text", "bash", "toml", "diff", "r"}
RUNNING = [page for page in PAGES if python_of(page) and name(page) not in APART]


@pytest.mark.parametrize("page", RUNNING, ids=name)
def test_the_python_of_a_page_runs(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for block in python_of(page):
        if block.printed:
            assert_like(capsys.readouterr().out, block.code)
            continue
        capsys.readouterr()
        file = tmp_path / f"line_{block.line}.py"  # Hypothesis reads the source of its tests
        file.write_text(block.code, encoding="utf-8")
        before = set(names)
        exec(compile(block.code, str(file), "exec"), names)
        for new in names.keys() - before:
            if new.startswith("test_") and callable(test := names[new]):
                test()


NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?")


def assert_like(printed: str, shown: str) -> None:
    """The same words, and numbers that differ by no more than machines make them."""
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", shown)
    now, then = (list(map(float, NUMBER.findall(text))) for text in (printed, shown))
    assert now == pytest.approx(then, abs=0.05)


@pytest.mark.parametrize("shown", ["loss 0.41, of 3\n", "loss 0.25, of 4\n", "lost 0.25, of 3\n"])
def test_another_output_is_found(shown: str) -> None:
    assert_like("loss 0.25, of 3\n", "loss 0.26, of 3\n")
    with pytest.raises(AssertionError):
        assert_like("loss 0.25, of 3\n", shown)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_block_is_in_a_language_that_nothing_checks(page: Path) -> None:
    seen = {block.language for block in blocks(page.read_text(encoding="utf-8"))}
    assert seen <= LANGUAGES


def test_a_block_says_why_it_is_not_run() -> None:
    page = (
        "<!-- not run: it waits for ever -->\n```python\nx\n```\n\n- a\n\n  ```python\n  y\n  ```\n"
    )
    assert blocks(page) == [
        Block(2, "python", "x\n", "it waits for ever"),
        Block(8, "python", "y\n", None),
    ]


# Command lines: of `fl` and `secagg` each command and option, of `make` the target.


def secagg_app() -> typer.Typer:
    app = group.application("secagg", "")
    params.register(app)
    identity.register(app)
    return app


PROGRAMS = {
    "fl": typer.main.get_command(fl_app),
    "secagg": typer.main.get_command(secagg_app()),
}
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def command_lines(text: str) -> list[list[str]]:
    """The lines of a page that begin with a program of ours, comments and redirections cut off."""
    shown = "\n".join(
        block.code for block in blocks(text) if block.language in ("", "bash") and not block.why_not
    )
    listed = "\n".join(re.findall(r"<!-- printed by: (.+?) -->", text))
    lines = f"{shown}\n{listed}".replace("\\\n", " ").splitlines()
    starts = re.compile(r"^ *(?:\$ )?((?:fl|secagg|make) .+?)(?: +#.*| +[>|&].*)?$")
    found = (starts.match(re.sub(r"<[^<>]+>", "X", line)) for line in lines)
    return [shlex.split(line[1]) for line in found if line]


def unknown(words: list[str]) -> str | None:
    """The first word of a command line that there is not."""
    if words[0] == "make":
        return next((word for word in words[1:] if "=" not in word and word not in TARGETS), None)
    command, rest = PROGRAMS[words[0]], words[1:]
    while rest and (commands := getattr(command, "commands", None)) and rest[0][0] != "-":
        if rest[0] not in commands:
            return rest[0]
        command, rest = commands[rest[0]], rest[1:]
    options = {"--help"} | {option for each in command.params for option in each.opts}
    options |= {option for each in command.params for option in each.secondary_opts}
    given = (word.partition("=")[0] for word in rest if word.startswith("-"))
    return next((option for option in given if option not in options), None)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_command_lines_name_what_there_is(page: Path) -> None:
    lines = command_lines(page.read_text(encoding="utf-8"))
    assert [(line, word) for line in lines if (word := unknown(line))] == []


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("fl train --round 5", "--round"),
        ("fl trian", "trian"),
        ("secagg directory chek d.toml", "chek"),
        ("secagg --instal-completion", "--instal-completion"),
        ("make dems", "dems"),
    ],
)
def test_a_command_line_that_is_wrong_is_found(line: str, word: str) -> None:
    (words,) = command_lines(f"```\n{line}  # so\n```\n")
    assert unknown(words) == word
