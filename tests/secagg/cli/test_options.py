"""Options of a command from the fields of a dataclass."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import pytest

typer = pytest.importorskip("typer")

from secagg.cli import command, group  # noqa: E402
from secagg.cli.options import from_fields  # noqa: E402


def even(value: int) -> int:
    if value % 2:
        raise typer.BadParameter(f"{value} is odd")
    return value


@dataclass(frozen=True, kw_only=True)
class Settings:
    name: Annotated[str, typer.Option(help="A name that must be given.")]
    rounds: Annotated[int, typer.Option(help="How many rounds there are.", callback=even)] = 20
    words: Annotated[list[str], typer.Option("--word", help="May be repeated.")] = field(
        default_factory=list
    )


Run = Callable[..., int]

SEEN: list[object] = []


def work(settings: Settings, loud: Annotated[bool, typer.Option("--loud")] = False) -> None:
    """Do the work."""
    SEEN[:] = settings, loud


@pytest.fixture
def run() -> Run:
    app = group.application("tool", "A tool for tests.")
    app.command()(from_fields(work))
    return lambda *words: command.run("tool", app, words, (), lambda error: False)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--name", "a"), (Settings(name="a"), False)),
        (
            ("--loud", "--word", "x", "--name", "a", "--word", "y", "--rounds", "4"),
            (Settings(name="a", rounds=4, words=["x", "y"]), True),
        ),
    ],
)
def test_fields_are_options(run: Run, words: tuple[str, ...], expected: tuple[object, ...]) -> None:
    assert run("work", *words) == 0
    assert tuple(SEEN) == expected


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "Missing option '--name'."),
        (("--name", "a", "--rounds", "3"), "Invalid value for '--rounds': 3 is odd"),
    ],
)
def test_a_field_s_check_is_the_option_s(
    run: Run, words: tuple[str, ...], line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("work", *words) == 2
    assert capfd.readouterr().err == f"tool: {line}\n"


def test_the_help_has_the_fields_in_their_order(
    run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("work", "--help") == 0
    shown = capfd.readouterr().out
    places = [shown.index(word) for word in ("Do the work.", "--name", "--rounds", "--word")]
    assert places == sorted(places)
    assert "A name that must be given." in shown
