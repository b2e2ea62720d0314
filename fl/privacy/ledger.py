"""What a training has cost each client so far: ε, from the sums that were released.

    ε        for whoever sees models and reports     ε_seen   for whoever sees who takes part

Every round is charged to the clients that were in it, by name; a client's cost is that of its own
rounds together, and ε_seen is that of the client that has the most. Where clients are drawn by
secret coins of a known rate (`subsampling.hidden_rate`), ε is that of all rounds at that rate, and
at most ε_seen; otherwise the two are the same.

A round counts from the moment in which clients were told to take part, whatever came of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from fl.errors import PrivacyError
from fl.privacy.accounting import check_delta
from fl.privacy.release import ALL_ORDERS, Rdp, Release, composed, dp_accounting, epsilon_of

_SLACK = 1 + 1e-9  # of a budget: what floating point takes from a sum that is exactly at it


class Ledger:
    """The account of one training.

    delta: δ of all its ε.
    rate: of `hidden_rate`, 1.0 where nothing is gained by sampling.
    budget: the most that ε may become; None for any.

    Raises PrivacyError for numbers out of range, and without `dp-accounting`.

    >>> ledger = fl.privacy.Ledger(delta=1e-5, budget=3.0)
    >>> release = fl.privacy.Release("gaussian", noise_multiplier=2.0)
    >>> ledger.charge(["ann", "bob"], release)
    >>> round(ledger.epsilon, 2), ledger.allows(["bob"], release), ledger.allows(["eve"], release)
    (2.17, False, True)
    """

    def __init__(self, *, delta: float, rate: float = 1.0, budget: float | None = None) -> None:
        check_delta(delta)
        if not 0 < rate <= 1:
            raise PrivacyError(f"a rate of {rate}, expected a number above 0 and at most 1")
        if budget is not None and not budget > 0:
            raise PrivacyError(f"a budget of {budget}, expected a number above 0")
        dp_accounting()
        self.delta, self.rate, self.budget = delta, rate, budget
        self._of_clients: dict[str, Rdp] = {}
        self._releases: Counter[Release] = Counter()

    def __repr__(self) -> str:
        rounds = self._releases.total()
        spent = f"epsilon={self.epsilon:.4g} of {self.budget}, delta={self.delta}"
        return f"Ledger({spent}, {rounds} rounds)"

    @property
    def epsilon(self) -> float:
        """ε of the sums so far, for whoever sees models and reports."""
        seen = self.epsilon_seen
        return (
            seen if self.rate == 1 else min(seen, composed(self._releases, self.rate, self.delta))
        )

    @property
    def epsilon_seen(self) -> float:
        """ε for whoever sees who takes part in which round, as the server does."""
        # At every order that of the client that has spent the most there: no client has more.
        most: Rdp = np.max([np.zeros(len(ALL_ORDERS)), *self._of_clients.values()], axis=0)
        return epsilon_of(most, self.delta)

    def charge(self, clients: Iterable[str], release: Release) -> None:
        """Add a round of these clients."""
        for client in clients:
            before = self._of_clients.get(client, np.zeros(len(ALL_ORDERS)))
            self._of_clients[client] = before + release.rdp()
        self._releases[release] += 1

    def with_round(self, clients: Iterable[str], release: Release) -> float:
        """What ε would be with one round more."""
        after = Ledger(delta=self.delta, rate=self.rate)
        after._of_clients = dict(self._of_clients)
        after._releases = self._releases.copy()
        after.charge(clients, release)
        return after.epsilon

    def allows(self, clients: Iterable[str], release: Release) -> bool:
        """Whether the budget has room for one round more."""
        return self.budget is None or self.with_round(clients, release) <= self.budget * _SLACK
