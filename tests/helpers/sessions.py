"""Whole sessions that Hypothesis draws, the rules by which they end, and links that watch."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

import secagg
from secagg import (
    Complete,
    Harary,
    Params,
    TooFewClients,
    VectorSpec,
    wire,
)
from secagg.graph import Graph
from secagg.masks.prg import RingVector
from secagg.messages import (
    Ciphertexts,
    Roster,
    Signatures,
    Survivors,
)
from secagg.roster import CheckedRoster
from secagg.server.aggregate import Aggregate
from secagg.simulation.network import Link
from tests.helpers.strategies import (
    client_ids,
    random_words,
    seeds,
    signing_keys,
    vector_specs,
)

STAYS = 5
"""The round from which a client that stays is gone: there is none."""

Inputs = dict[int, dict[str, RingVector]]


def random_inputs(clients: Sequence[int], specs: Sequence[VectorSpec], seed: int) -> Inputs:
    """Words of the whole dtype: bits above `bits` are there, and must not count."""
    rng = np.random.default_rng(seed)
    return {
        u: {spec.name: random_words(rng, spec.length, spec.dtype) for spec in specs}
        for u in clients
    }


def exact_sums(
    specs: Sequence[VectorSpec], inputs: Inputs, survivors: Sequence[int]
) -> dict[str, list[int]]:
    """Column by column, in Python's integers."""
    return {
        spec.name: [
            sum(int(inputs[u][spec.name][i]) for u in survivors) % 2**spec.bits
            for i in range(spec.length)
        ]
        for spec in specs
    }


class Recorder:
    """A perfect link that remembers every frame."""

    def __init__(self) -> None:
        self.frames: list[tuple[int | None, int | None, bytes]] = []

    def __call__(self, sender: int | None, receiver: int | None, frame: bytes) -> bytes:
        self.frames.append((sender, receiver, frame))
        return frame

    def told(self) -> list[int]:
        """The server's messages, by the round that they begin."""
        down = (Roster, Ciphertexts, Survivors, Signatures)
        messages = (wire.decode(frame) for sender, _, frame in self.frames if sender is None)
        return [down.index(type(message)) + 1 for message in messages]

    def unanswered(self) -> set[tuple[int | None, int]]:
        """Who was told something by which it begins a round, and did not: it refused."""
        down = [receiver for sender, receiver, _ in self.frames if sender is None]
        told = set(zip(down, self.told(), strict=True))
        up = [wire.decode(frame) for sender, _, frame in self.frames if sender is not None]
        return told - {(message.u, message.round) for message in up}  # type: ignore[union-attr]

    def closed_neighbourhoods(self, graph: Graph) -> dict[int, set[int]]:
        """N(u) ∪ {u} by client id, from the roster that was sent; empty if nobody was there."""
        messages = (wire.decode(frame) for sender, _, frame in self.frames if sender is None)
        sent = next((m for m in messages if isinstance(m, Roster)), Roster.of(()))
        if not sent.entries:
            return {}
        roster = CheckedRoster(sent, secagg.Pinned({}))
        rows = graph.rows(roster.digest, len(roster.ids)).tolist()
        return {u: {roster.ids[j] for j in rows[i]} for i, u in enumerate(roster.ids)}


def play(
    params: Params,
    inputs: Mapping[int, RingVector | Mapping[str, RingVector]],
    drop: Mapping[int, int],
    link: Link | None = None,
    executor: Executor | None = None,
) -> Aggregate | None:
    """The result, or None for TooFewClients."""
    keys = signing_keys(list(inputs))
    try:
        return secagg.run(
            params, inputs, drop=drop, signing_keys=keys, link=link, executor=executor
        )
    except TooFewClients:
        return None


def predicted(
    params: Params, rounds: Mapping[int, int], N: Mapping[int, set[int]]
) -> tuple[set[int], set[int]] | int:
    """(U2, U3) by the rules of the protocol, or the round that ends it; N(u) includes u.

    `rounds` says from which round on each client is gone.
    """
    t, least = params.t, params.min_survivors
    U = [{u for u, r in rounds.items() if r > i} for i in range(5)]
    if len(U[0]) < params.min_roster:
        return 0
    U2 = U[1]
    while lonely := {u for u in U2 if len(N[u] & U2) < t}:
        U2 = U2 - lonely
    U3, U4, U5 = (U2 & U[i] for i in (2, 3, 4))
    owners = U3 | {v for v in U2 - U3 if N[v] & U3}
    if len(U2) < least:
        return 1
    if len(U3) < least or any(len(N[v] & U3) < t for v in owners):
        return 2
    if len(U4) < least:
        return 3
    if any(len(N[v] & U5) < t for v in owners):
        return 4
    return U2, U3


@dataclass
class Session:
    """What Hypothesis draws."""

    params: Params
    inputs: Inputs
    drop: dict[int, int]

    def rounds(self) -> dict[int, int]:
        return {u: self.drop.get(u, STAYS) for u in self.inputs}


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    """Sessions around their thresholds: full, or one client short, or anything between."""
    if draw(st.booleans()):
        n = draw(st.integers(2, 8))
        t = draw(st.sampled_from([*[n // 2 + 1] * 3, n]))
        graph: Graph = Complete()
        corrupt, least = draw(st.sampled_from([0, 0, max(min(2 * t - n - 1, t - 2), 0)])), t
    else:
        n = draw(st.integers(9, 13))
        k, t = draw(st.sampled_from([(8, 6), (6, 5), (4, 4)]))
        graph, corrupt, least = Harary(k), 0, k + 1
    quorum = max((n + corrupt) // 2 + 1, t if graph == Complete() else 1)
    min_roster = draw(st.sampled_from([*[max(quorum, least)] * 4, n]))
    min_survivors = draw(st.sampled_from([*[quorum] * 4, min_roster]))
    specs = draw(vector_specs())
    params = Params(
        n,
        specs,
        t=t,
        corrupt=corrupt,
        min_roster=min_roster,
        min_survivors=min_survivors,
        graph=graph,
        session=b"a session of this test",
        context=draw(st.binary(max_size=4)),
    )
    size = draw(st.sampled_from([n, n, n, n, min_roster, min_roster - 1]))
    clients = draw(client_ids(size, size))
    # numpy chooses who drops: Hypothesis repeats itself, and few of its patterns would end in a sum
    rng = np.random.default_rng(draw(seeds))
    gone = rng.random(size) < draw(st.sampled_from([0.15, 0.2, 0.3]))
    drop = {u: int(rng.integers(5)) for u, drops in zip(clients, gone, strict=True) if drops}
    return Session(params, random_inputs(clients, specs, draw(seeds)), drop)


@dataclass
class Outcome:
    """How a session ended, or has to end by the rules of the protocol."""

    survivors: tuple[int, ...]
    dropped: list[tuple[int, int]]
    sums: dict[str, list[int]]
    shapes: dict[str, tuple[np.dtype[Any], tuple[int, ...]]]
    disputes: tuple[Any, ...] = ()


def outcomes(
    session: Session, executor: Executor | None = None
) -> tuple[Outcome | None, Outcome | None]:
    """What came of a session, played in an executor or here, and what has to; None for no sum.

    Raises RuntimeError where the parties went on although they must not, or refused each other.
    """
    params, link = session.params, Recorder()
    result = play(params, session.inputs, session.drop, link, executor)
    rule = predicted(params, session.rounds(), link.closed_neighbourhoods(params.graph))
    if link.unanswered():
        raise RuntimeError(f"an honest server sent what was refused: {link.unanswered()}")
    if isinstance(rule, int) and max(link.told(), default=0) > rule:
        raise RuntimeError(f"round {max(link.told())} was begun, expected an end after {rule}")
    return _came_of(result), None if isinstance(rule, int) else _follows(session, *rule)


def _came_of(result: Aggregate | None) -> Outcome | None:
    if result is None:
        return None
    vectors = result.vectors.items()
    return Outcome(
        result.survivors,
        list(result.dropped.items()),
        {name: total.tolist() for name, total in vectors},
        {name: (total.dtype, total.shape) for name, total in vectors},
        result.disputes,
    )


def _follows(session: Session, U2: set[int], U3: set[int]) -> Outcome:
    rounds, specs, survivors = session.rounds(), session.params.vectors, tuple(sorted(U3))
    lonely = {u: 2 for u in rounds if rounds[u] > 1 and u not in U2}
    return Outcome(
        survivors,
        sorted((session.drop | lonely).items()),
        exact_sums(specs, session.inputs, survivors),
        {spec.name: (spec.dtype, (spec.length,)) for spec in specs},
    )


class Damaged:
    """A link that loses one frame, or flips a bit of it."""

    def __init__(self, place: int, bit: int | None) -> None:
        self.place, self.bit, self.count = place, bit, -1

    def __call__(self, sender: int | None, receiver: int | None, frame: bytes) -> bytes | None:
        self.count += 1
        if self.count != self.place:
            return frame
        if self.bit is None:
            return None
        damaged = bytearray(frame)
        damaged[self.bit // 8 % len(frame)] ^= 1 << self.bit % 8
        return bytes(damaged)
