"""Where the clients of a simulation answer: here, one after another, or in batches in workers.

    {u: frame}  →  what u replies, or None where u refuses; in the order of the frames

An executor pins nobody to a worker, so that a batch travels to each job and back: its clients as
one pickle, in which the roster and the directory stand once.  Their inputs, nearly all of the
bytes, stay behind until the round that masks them.

A job holds all that its clients hide from the server, their inputs and identity keys included, and
nothing here judges the workers that see them: this is for simulation.
"""

import copyreg
import io
import pickle
from collections import deque
from collections.abc import Generator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from secagg import wire
from secagg.client.client import Client
from secagg.errors import RemoteProtocolError
from secagg.identity.directory import Directory
from secagg.masks.prg import RingVector
from secagg.messages import Roster
from secagg.roster import CheckedRoster
from secagg.simulation.checks import of_this_process

Frames = Mapping[int, bytes | None]
"""u → what was sent to u; None where u begins."""

Replies = Generator[bytes | None, None, None]

_MASKING = 2  # the round that uses the inputs, and the last that has them


def replies(clients: Mapping[int, Client], sent: Frames) -> Replies:
    """What each client in `sent` replies; a frame to several of them in a row is decoded once."""
    decode = lru_cache(maxsize=1)(wire.decode)
    for u, frame in sent.items():
        try:
            reply = clients[u].start() if frame is None else clients[u].receive(decode(frame))
        except RemoteProtocolError:
            yield None  # silent from here on, which is all that the server sees
        else:
            yield wire.encode(reply)


_Answered = tuple[bytes, dict[int, bytes | None]]


@dataclass
class _Batch:
    """Some clients between two rounds: their pickle, and the inputs that they are sent without."""

    ids: list[int]
    pickled: bytes = field(repr=False)
    inputs: dict[int, Mapping[str, RingVector]] = field(repr=False)


class Batches:
    """Clients in the workers of an executor, as so many jobs a round.

    Who is sent nothing in a round is left behind there: the server does not ask it again.
    """

    def __init__(
        self,
        clients: Mapping[int, Client],
        inputs: Mapping[int, Mapping[str, RingVector]],
        jobs: int,
        executor: Executor,
    ) -> None:
        """`clients` were made without an input; `inputs` has it, by name, and it fits."""
        self._executor = executor
        ids, size = sorted(clients), -(-len(clients) // jobs)
        parts = (ids[start : start + size] for start in range(0, len(ids), size))
        self._batches = [
            _Batch(part, _pickled({u: clients[u] for u in part}), {u: inputs[u] for u in part})
            for part in parts
        ]

    def replies(self, round: int, sent: Frames) -> Replies:
        """As the function `replies`; what the executor raises goes through, no job stays behind."""
        self._batches = [b for b in self._batches if not sent.keys().isdisjoint(b.ids)]
        jobs: deque[tuple[_Batch, Future[_Answered]]] = deque()
        replied: dict[int, bytes | None] = {}
        try:
            jobs.extend((batch, self._submit(batch, round, sent)) for batch in self._batches)
            for u in sent:
                while u not in replied:
                    batch, job = jobs.popleft()
                    batch.pickled, answered = job.result()
                    replied |= answered
                yield replied.pop(u)
        finally:
            for _, job in jobs:
                job.cancel()

    def _submit(self, batch: _Batch, round: int, sent: Frames) -> "Future[_Answered]":
        mine = {u: sent[u] for u in batch.ids if u in sent}
        inputs = {u: batch.inputs.pop(u) for u in mine} if round == _MASKING else {}
        return self._executor.submit(_answer, batch.pickled, inputs, mine)


def _answer(
    pickled: bytes, inputs: Mapping[int, Mapping[str, RingVector]], sent: Frames
) -> _Answered:
    """The job: the clients of one batch that were sent something, as they are after it."""
    clients: dict[int, Client] = pickle.loads(pickled)
    for u, vectors in inputs.items():
        if clients[u].state == "Shared":  # not if it has refused something, and is Aborted
            clients[u].provide_input(vectors)
    replied = dict(zip(sent, replies(clients, sent), strict=True))
    return _pickled({u: clients[u] for u in sent}), replied


def _pickled(clients: dict[int, Client]) -> bytes:
    file = io.BytesIO()
    _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(clients)
    return file.getvalue()


def _key(key: Ed25519PrivateKey) -> tuple[Any, ...]:
    return Ed25519PrivateKey.from_private_bytes, (key.private_bytes_raw(),)


def _roster(roster: CheckedRoster) -> tuple[Any, ...]:
    return _known, (wire.encode(roster.columns), roster.directory)


def _known(frame: bytes, directory: Directory) -> CheckedRoster:
    """One object for all batches of a session in a process: what was checked of it is kept."""
    return of_this_process().again(cast(Roster, wire.decode(frame)), directory)


class _Pickler(pickle.Pickler):
    """With the two types that pickle does not know, or should write as bytes."""

    dispatch_table = copyreg.dispatch_table | {
        type(Ed25519PrivateKey.from_private_bytes(bytes(32))): _key,
        CheckedRoster: _roster,
    }
