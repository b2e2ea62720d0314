"""A session whose every byte is the same in every run."""

import hashlib
from dataclasses import replace
from typing import Any

import secagg
from tests.helpers.party import Party


class Stream:
    """`rand` that is the same in every run: call i gives SHAKE-256(seed, i)."""

    def __init__(self, *seed: object) -> None:
        self.seed, self.calls = repr(seed).encode(), 0

    def __call__(self, count: int) -> bytes:
        self.calls += 1
        return hashlib.shake_256(b"%d/%s" % (self.calls, self.seed)).digest(count)


class Steady(Party):
    """A Party whose clients draw from `Stream`s; other `streams`, other keys."""

    def __init__(self, n: int = 5, *, streams: str = "steady", **params: Any) -> None:
        self.streams = streams
        super().__init__(n, **params)

    def client(self, u: int, **changes: Any) -> secagg.Client:
        client = super().client(u, **changes)
        rand = Stream(self.streams, u, sorted(changes))
        client._member = replace(client._member, rand=rand)
        return client
