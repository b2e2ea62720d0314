"""The rounds of a run with a budget of privacy: each is written down, played, and charged."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from pathlib import Path

import keras

from fl.aggregators.budget import promised
from fl.aggregators.interface import Aggregator
from fl.errors import PrivacyError
from fl.experiment import assembly, noise
from fl.experiment.privacy_account import Account, Spent
from fl.experiment.settings import Settings
from fl.model.layout import Layout
from fl.privacy.ledger import Ledger
from fl.privacy.release import Release
from fl.process.training_server import RoundResult


class PrivateRounds:
    """What a run needs of its account. summed: its sum. size: of an update."""

    def __init__(self, account: Account, summed: Aggregator, size: int) -> None:
        self._account, self._summed, self._size = account, summed, size

    @property
    def multiplier(self) -> float:
        """z of the run."""
        return self._account.multiplier

    @property
    def spent(self) -> Spent:
        """So far."""
        return self._account.spent

    def accounted(
        self, round_number: int, clients: Sequence[str], play: Callable[[], RoundResult]
    ) -> RoundResult:
        """What `play` gives, a round of these clients, charged whatever becomes of it.

        Raises PrivacyError, and does not play, where the budget has no room for it.
        """
        promise = promised(self._summed, clients=len(clients), size=self._size)
        self._account.reserve(round_number, clients, promise)
        was = None
        try:
            result = play()
            was = Release.of(result.metrics["aggregator"].get("noise", {}))
            return result
        finally:
            self._account.settle(clients, promise, was)


def private_rounds(
    settings: Settings, path: Path, clients: Sized, model_fn: Callable[[], keras.Model]
) -> PrivateRounds | None:
    """Those of a run in this directory; None without a budget. Raises FLError."""
    if not settings.private:
        return None
    size = _size(Layout.of(model_fn()))

    def sum_of(multiplier: float) -> Aggregator:
        return assembly.aggregator(settings, assembly.HERE, multiplier)

    rate = noise.rate_of(settings, len(clients))
    ledger = Ledger(delta=settings.dp_delta, rate=rate, budget=settings.dp_epsilon)
    multiplier = noise.multiplier_of(settings, sum_of, len(clients), size)
    account = Account(path, ledger, multiplier)
    return PrivateRounds(account, sum_of(account.multiplier), size)


def _size(layout: Layout) -> int:
    """Of an update. Raises PrivacyError where it is not all that clients send."""
    sent = sum(size for size, sent in zip(layout.sizes, layout.sent, strict=True) if sent)
    if sent != layout.trained:
        raise PrivacyError(
            f"a model with {sent - layout.trained} statistics, such as those of batch "
            "normalization, expected one without: noise covers weights alone"
        )
    return layout.trained
