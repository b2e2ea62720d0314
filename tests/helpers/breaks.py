"""Attacks beside the checks that stop them.

    attacks = Attacks("client.client", "client.sealing")

    @attacks.breaks("client.rounds._check_ciphertexts", "not strictly_ascending(senders)")
    def one_sender_for_all() -> bool:
        '''Whether the attack succeeded.'''

    test_every_check_has_its_attack, test_an_attack_needs_its_check_gone = attacks.tests()

The decorator names the function that checks, and the check as `removed` reads it in the source; an
attack on several checks has several decorators, and what a factory makes is given to
`attacks.breaks(...)` as it is.
The first test fails where a check has no attack, or an attack names a check that is not there; the
second plays each attack with its check, where it must fail, and without, where it must succeed.
"""

import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

import secagg
from secagg.errors import SecAggError
from tests.helpers.removed import Check, checks, full, remove

Attack = Callable[[], bool]
A = TypeVar("A", bound=Attack)
Remove = Callable[[pytest.MonkeyPatch, Check], None]
PACKAGE = str(Path(secagg.__file__).parent)
UNTYPED = (KeyError, IndexError, ValueError, TypeError, AttributeError, OverflowError)


def succeeds(attack: Attack) -> bool:
    """Whether it does: the honest refuse with a SecAggError, or do not refuse."""
    try:
        return attack()
    except SecAggError:
        return False
    except UNTYPED as error:
        raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
        if PACKAGE in raised_in or raised_in.startswith("secagg."):
            return True  # a host that runs the package dies of it
        raise


def forget(modules: Iterable[str]) -> None:
    """What these remember from when a check was missing must not pass for checked afterwards."""
    for name in map(full, modules):
        for function in list(vars(sys.modules[name]).values()):
            if hasattr(function, "cache_clear"):
                function.cache_clear()


@dataclass(frozen=True)
class Claim:
    """That this attack succeeds if and only if the check is gone."""

    check: Check
    attack: Attack

    def __str__(self) -> str:
        return str(self.check)

    @property
    def name(self) -> str:
        """The function that was decorated, or the factory that made it."""
        return getattr(self.attack, "__qualname__", repr(self.attack)).partition(".<locals>")[0]


class Attacks:
    """The attacks on all checks of these modules.

    `found` and `remove` are for what is no check but can be found and removed like one; `judge`
    says whether an attack succeeds.
    """

    def __init__(
        self,
        *modules: str,
        found: Callable[[Iterable[str]], list[Check]] = checks,
        remove: Remove = remove,
        judge: Callable[[Attack], bool] = succeeds,
    ) -> None:
        self.modules, self.remove, self.judge = modules, remove, judge
        self.found = found(modules)
        self.claims: list[Claim] = []

    def breaks(self, where: str, says: str) -> Callable[[A], A]:
        """Decorates an attack that this check of the function `where` stops."""
        return partial(self._claim, Check(full(where), says))

    def _claim(self, check: Check, attack: A) -> A:
        self.claims.append(Claim(check, attack))
        return attack

    def missing(self) -> list[str]:
        """Each check without an attack."""
        attacked = {claim.check for claim in self.claims}
        return [f"no attack on {check}" for check in self.found if check not in attacked]

    def stale(self) -> list[str]:
        """Each attack on a check that is not there, with those that the function has."""
        return [self._not_there(claim) for claim in self.claims if claim.check not in self.found]

    def _not_there(self, claim: Claim) -> str:
        where = claim.check.where
        there = [check.says for check in self.found if check.where == where]
        lines = [f"{claim.name} breaks `{claim.check.says}` of {where}, which has no such check"]
        if there:
            lines += ["its checks are now:", *there]
        else:
            lines += ["functions with checks are:", *dict.fromkeys(c.where for c in self.found)]
        return "\n    ".join(lines)

    def tests(self) -> tuple[Callable[[], None], Callable[..., None]]:
        """The two tests of a module: that nothing is missing or stale, and each attack."""

        def complete() -> None:
            problems = [*self.missing(), *self.stale()]
            if problems:
                pytest.fail("\n".join(problems), pytrace=False)

        @pytest.mark.parametrize("claim", self.claims, ids=str)
        def each(claim: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
            self.hold(claim, monkeypatch)

        return complete, each

    def hold(self, claim: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
        """Fail unless the attack succeeds if and only if the check is gone."""
        if claim.check not in self.found:
            pytest.fail(self._not_there(claim), pytrace=False)
        self._expect(False, claim, "with")
        self.remove(monkeypatch, claim.check)
        self._expect(True, claim, "without")

    def _expect(self, expected: bool, claim: Claim, how: str) -> None:
        forget(self.modules)
        try:
            seen = self.judge(claim.attack)
        finally:
            forget(self.modules)
        if seen is not expected:
            pytest.fail(
                f"{claim.name} {'succeeds' if seen else 'fails'} {how} the check `{claim}`",
                pytrace=False,
            )
