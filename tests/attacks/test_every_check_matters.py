"""No module of the package is forgotten where its checks are removed, and no wrong name is missed.

The attacks stand in tests/attacks/checks, a file for each of `removed.ROOMS`; the mistakes of our
own caller in tests/attacks/arguments.
"""

import pkgutil
from pathlib import Path

import pytest

import secagg
from tests.helpers.breaks import Attack, Attacks
from tests.helpers.removed import (
    ARGUMENTS,
    GUARDED,
    MODULES,
    NO_DEFENCE,
    OURS_TO_GET_WRONG,
    ROOMS,
    checks,
    guards,
)

HERE = Path(__file__).parent
WITH_A_STAND_IN = {"masks.aegis"}
"""Guards against a package that is not installed; tests/secagg/masks/test_aegis.py has them."""


@pytest.mark.parametrize(("folder", "rooms"), [("checks", ROOMS), ("arguments", ARGUMENTS)])
def test_every_room_has_its_file(folder: str, rooms: dict[str, tuple[str, ...]]) -> None:
    files = {path.stem.removeprefix("test_") for path in (HERE / folder).glob("test_*.py")}
    assert files - {"defences"} == rooms.keys()


def test_every_module_that_refuses_is_read() -> None:
    read = {*MODULES, *GUARDED, *(module for room in ARGUMENTS.values() for module in room)}
    unread = {
        name.removeprefix("secagg.")
        for _, name, package in pkgutil.walk_packages(secagg.__path__, "secagg.")
        if not package and name.removeprefix("secagg.") not in read
        if checks([name]) or guards([name])
    }
    assert {name for name in unread if not name.startswith(NO_DEFENCE)} == WITH_A_STAND_IN


def test_no_two_checks_of_a_function_read_the_same() -> None:
    """The one could not be removed without the other."""
    found = checks()
    assert len(set(found)) == len(found)


def test_every_function_that_is_left_out_is_there() -> None:
    for name in OURS_TO_GET_WRONG:
        pkgutil.resolve_name(name)


# What is said of a name that is wrong.


def never() -> bool:
    return False


def said(attacks: Attacks, monkeypatch: pytest.MonkeyPatch) -> str:
    complete, _ = attacks.tests()
    with pytest.raises(pytest.fail.Exception) as failed:
        complete()
    for claim in attacks.claims:
        with pytest.raises(pytest.fail.Exception):
            attacks.hold(claim, monkeypatch)
    return str(failed.value)


def test_a_check_without_an_attack_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    message = said(Attacks("ending"), monkeypatch)
    assert message == (
        "no attack on ending.check_end: _mac(key, message.summed).verify(message.tag)"
    )


def test_an_attack_on_a_check_that_is_not_there_says_which_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attacks = Attacks("roster")
    attacks.breaks("roster.RosterChecks.check_all", "len(message) > params.n")(never)
    message = said(attacks, monkeypatch)
    assert (
        "never breaks `len(message) > params.n` of secagg.roster.RosterChecks.check_all, "
        "which has no such check\n    its checks are now:\n    check_columns(message)\n"
    ) in message
    assert "\n    not len(message) <= params.n" in message


def test_an_attack_on_a_function_that_is_not_there_says_which_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attacks = Attacks("roster")
    attacks.breaks("roster.checked", "not strictly_ascending(ids)")(never)
    message = said(attacks, monkeypatch)
    assert "of secagg.roster.checked, which has no such check\n    functions with checks" in message
    assert "\n    secagg.roster.RosterChecks.check_all" in message


@pytest.mark.parametrize(
    ("attack", "fault"),
    [(never, "never fails without the check"), (lambda: True, "succeeds with the check")],
)
def test_an_attack_that_does_not_need_its_check_is_named(
    attack: Attack, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attacks = Attacks("ending")
    says = "_mac(key, message.summed).verify(message.tag)"
    attacks.breaks("ending.check_end", says)(attack)
    with pytest.raises(pytest.fail.Exception, match=fault):
        attacks.hold(attacks.claims[0], monkeypatch)


def test_an_attack_can_have_several_decorators() -> None:
    attacks = Attacks("roster")
    attacks.breaks("roster.a", "x")(attacks.breaks("roster.b", "y")(never))
    assert [(str(claim), claim.name) for claim in attacks.claims] == [
        ("roster.b: y", "never"),
        ("roster.a: x", "never"),
    ]
