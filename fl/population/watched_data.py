"""The data of a round's clients, read one by one, so that whoever watches sees how far it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

OnClient = Callable[[int, int], None]
"""Called with (how many clients of the round have begun, how many there are)."""

Client = TypeVar("Client")
Data = TypeVar("Data")


class WatchedData(Sequence[Data], Generic[Client, Data]):
    """The data of some clients, each read when its turn comes; then `on_client` is called."""

    def __init__(
        self, read: Callable[[Client], Data], clients: Sequence[Client], on_client: OnClient
    ) -> None:
        self._read = read
        self._clients = clients
        self._on_client = on_client
        self._begun = 0

    def __len__(self) -> int:
        return len(self._clients)

    def __getitem__(self, index: int) -> Data:  # type: ignore[override] # no slices: one by one
        data = self._read(self._clients[index])
        self._begun += 1
        self._on_client(self._begun, len(self))
        return data
