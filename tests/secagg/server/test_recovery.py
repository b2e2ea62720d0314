"""Reconstruction, counted: bad dealers cost in proportion to their number."""

from collections.abc import Callable

import numpy as np
import pytest

from secagg.graph import Complete
from secagg.server import recovery
from secagg.server.neighbourhoods import Neighbourhoods
from secagg.server.recovery import ShareTable
from secagg.sharing.shamir import split
from tests.helpers.strategies import CounterRand

M, T = 40, 24


def dealt(bad: int) -> tuple[ShareTable, list[bytes]]:
    """m owners; each bad one has holders of its own that do not answer, and one wrong share."""
    table = ShareTable.empty(tuple(range(M)), Neighbourhoods.of(Complete(), bytes(32), M))
    rng, rand = np.random.default_rng(0), CounterRand(b"dealers")
    secrets = [bytes([owner]) * 32 for owner in range(M)]
    for owner, secret in enumerate(secrets):
        table.shares[owner] = split([secret], T, np.arange(M) + 1, rand)[:, 0]
    table.received[:] = True
    for owner in range(bad):
        table.received[owner, rng.choice(np.arange(1, M), 5, replace=False)] = False
        table.shares[owner, rng.choice(np.flatnonzero(table.received[owner])[:T])] ^= 1
    return table, secrets


@pytest.fixture
def combined(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often shares were combined."""
    calls, combine = [], recovery.combine_digits
    monkeypatch.setattr(recovery, "combine_digits", lambda *args: calls.append(1) or combine(*args))
    return lambda: len(calls)


@pytest.mark.parametrize("bad", [0, 1, 5, 13])
def test_each_bad_dealer_costs_two_combinations_at_most(
    bad: int, combined: Callable[[], int]
) -> None:
    table, secrets = dealt(bad)
    found = table.recover(range(M), T, lambda owner, secret: secret == secrets[owner])
    assert found == dict(enumerate(secrets))
    assert len({owner for owner, _ in table.disputed}) <= bad
    assert combined() <= 1 + 2 * bad
