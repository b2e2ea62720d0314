"""Computers that lose power: hosts of clients, and a session in which anybody can go dark."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import secagg
from secagg import wire
from secagg.client.states import Checked, Held
from secagg.messages import ServerMessage, Unmasking, records
from secagg.server.rounds import Advertising
from secagg.sharing.shamir import SHARE_BYTES
from tests.helpers.party import SERVER_KEY, Party, shares_in

KEY = bytes(range(32))


class PowerCut(Exception):
    """The process is gone; what was written is there."""


class Fate:
    """The power is cut at the given moments, counted over everything that happens."""

    def __init__(self, cuts: Iterable[int] = ()) -> None:
        self.cuts, self.moment = set(cuts), 0

    def moment_passes(self) -> None:
        self.moment += 1
        if self.moment in self.cuts:
            raise PowerCut


class Host:
    """One client's computer: a disk that keeps every blob, and a generation that only goes up."""

    def __init__(self, party: Party, u: int, fate: Fate | None = None) -> None:
        self.party, self.u, self.fate = party, u, fate or Fate()
        self.disk: dict[int, bytes] = {}
        self.generation = 0
        self.held: dict[int, Held] = {}
        self.store = secagg.SnapshotStore(KEY, self.write)
        self.client = party.client(u, store=self.store)

    def write(self, blob: bytes, generation: int) -> None:
        """What `SnapshotStore` asks of a host; the power may go at each step."""
        if generation <= self.generation:
            raise PermissionError(f"generation {generation} is not after {self.generation}")
        self.fate.moment_passes()
        self.disk[generation] = blob
        self.fate.moment_passes()
        self.generation = generation
        self.fate.moment_passes()

    def restart(self) -> None:
        """Come back as a host should: with the blob of the generation that it keeps."""
        if self.generation:
            self.client = self.restored(self.generation)
        else:
            self.client = self.party.client(self.u, store=self.store)

    def restored(self, generation: int) -> secagg.Client:
        """The client in an old blob, for a host that does not notice how old it is."""
        return self.restored_from(self.disk[generation], self.generation)

    def restored_from(self, blob: bytes, generation: int, **changes: Any) -> secagg.Client:
        party, u = self.party, changes.pop("u", self.u)
        store = changes.pop("store", self.store)
        return secagg.Client.restore(
            blob,
            generation,
            u,
            replace(party.params, **changes),
            signing_key=party.keys[u],
            directory=party.directory,
            certificate=party.certificates[u],
            store=store,
        )

    def reply(self, message: ServerMessage | None) -> bytes:
        """What the client answers, as bytes."""
        if isinstance(self.client._state, Checked):
            self.held = self.client._state.held
        reply = self.client.start() if message is None else self.client.receive(message)
        return wire.encode(reply)

    def reply_at_last(self, message: ServerMessage | None) -> bytes:
        """The same, however often the power goes."""
        dark = False
        while True:
            try:
                if dark:
                    self.restart()
                    dark = False
                self.fate.moment_passes()
                frame = self.reply(message)
                self.fate.moment_passes()  # stored, and lost on its way out
                return frame
            except PowerCut:
                dark = True


def restored(party: Party, blob: bytes) -> secagg.Server:
    """The party's server in a blob."""
    return secagg.Server.restore(
        blob, KEY, party.params, directory=party.directory, private_key=SERVER_KEY
    )


class RollbackHost(Host):
    """It keeps no generation, and believes the one that stands in the blob."""

    def write(self, blob: bytes, generation: int) -> None:
        self.disk[generation], self.generation = blob, generation

    def restored(self, generation: int) -> secagg.Client:
        return self.restored_from(self.disk[generation], generation)


class Storm:
    """A session in which the power may go at any moment on either side.

    `choose` says from which of its snapshots the server comes back; `absent` as in `Party`.
    """

    def __init__(
        self,
        fate: Fate,
        choose: Callable[[list[bytes]], bytes],
        absent: Mapping[int, int] | None = None,
    ) -> None:
        self.party = Party(5)
        self.fate, self.choose, self.absent = fate, choose, absent or {}
        self.hosts = {u: Host(self.party, u, fate) for u in self.party.ids}
        self.server = self.party.server
        self.snapshots = [self.server.snapshot(KEY)]
        self.left: dict[tuple[int, int], set[bytes]] = defaultdict(set)

    def play(self) -> secagg.Aggregate:
        """The sum, or the server's typed error."""
        while self.server.state != "Aggregate":
            try:
                self._play_round()
            except PowerCut:
                self.server = restored(self.party, self.choose(self.snapshots))
        return self.server.result

    def _play_round(self) -> None:
        for u, message in (self.server.outbox or dict.fromkeys(self.party.ids)).items():
            self._exchange(u, message)
        self.server.close_round()
        if not isinstance(self.server._round, Advertising | secagg.Aggregate):
            self.party.binding = self.server._round.rostered.transcript  # type: ignore[union-attr]
        self.fate.moment_passes()
        self.snapshots.append(self.server.snapshot(KEY))

    def _exchange(self, u: int, message: ServerMessage | None) -> None:
        round = ROUNDS[type(message)]
        if self.absent.get(u, 5) <= round:
            return
        with suppress(secagg.SecAggError):  # an aborted client is silent
            frame = self.hosts[u].reply_at_last(message)
            self.left[u, round].add(frame)
            self.fate.moment_passes()
            self.server.receive(u, frame)
        self.fate.moment_passes()
        if u % 20 == 0:
            self.snapshots.append(self.server.snapshot(KEY))

    def answered_twice(self) -> list[tuple[int, int]]:
        """(u, round) wherever two different replies left."""
        return [where for where, frames in self.left.items() if len(frames) > 1]

    def released_both(self) -> list[tuple[int, int]]:
        """(holder, owner) wherever both shares of one owner left."""
        return [
            (u, owner)
            for u, host in self.hosts.items()
            for owner, held in host.held.items()
            if {held.s_share, held.b_share} <= self._released(u)
        ]

    def _released(self, u: int) -> set[bytes]:
        unmaskings = [wire.decode(frame) for frame in self.left[u, 4]]
        return {
            share
            for message in unmaskings
            if isinstance(message, Unmasking)
            for share in records(shares_in(message, self.party.binding), SHARE_BYTES)
        }


ROUNDS = {
    type(None): 0,
    secagg.messages.Roster: 1,
    secagg.messages.Ciphertexts: 2,
    secagg.messages.Survivors: 3,
    secagg.messages.Signatures: 4,
}
