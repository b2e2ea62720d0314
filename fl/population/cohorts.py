"""The data of a round's clients, read one by one, so that whoever watches sees how far it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

OnClient = Callable[[int, int], None]
"""Called with (how many clients of the round have begun, how many there are)."""


class Cohort(Sequence[Any]):
    """The data of a round's clients, each read when its turn comes."""

    def __init__(
        self, read: Callable[[Any], Any], clients: Sequence[Any], on_client: OnClient
    ) -> None:
        self._read = read
        self._clients = clients
        self._on_client = on_client
        self._begun = 0

    def __len__(self) -> int:
        return len(self._clients)

    def __getitem__(self, index: Any) -> Any:
        data = self._read(self._clients[index])
        self._begun += 1
        self._on_client(self._begun, len(self))
        return data
