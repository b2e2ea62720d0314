"""The server's session as one encrypted blob and back.

    blob = layout ‖ 0 ‖ nonce ‖ AES-GCM(key, (round, roster, missed, fields of the round, outbox))
    associated data = (label, layout, params digest)

It is the server's own view: up to round 3 masked sums and ciphertexts for others, in round 4 shares
of clients' secrets, at the end the sum.  Encrypted, so that a stolen disk is not a second server;
authenticated, because nothing else would notice a bit that flips in the accumulator.

There is no generation: an old server is one of the malicious servers that clients withstand.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from secagg import wire
from secagg.keys import SERVER_SNAPSHOT, Buffer
from secagg.messages import ServerMessage
from secagg.roster import CheckedRoster
from secagg.server.aggregate import Aggregate, Failed
from secagg.server.neighbourhoods import Neighbourhoods
from secagg.server.opening import Opening
from secagg.server.rounds import Advertising, Checking, Collecting, Sharing
from secagg.server.session import Outbox, Rostered, Session
from secagg.server.transitions import Round
from secagg.snapshots.sealed import seal, unseal
from secagg.snapshots.state_bytes import encode, fields_of, from_fields

_GIVEN = (Session, Rostered, Neighbourhoods)
_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (Advertising, Sharing, Collecting, Checking, Opening, Aggregate, Failed)
}


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """The plaintext of a server's blob."""

    round: str
    roster: bytes
    missed: dict[int, int]
    advertised: dict[int, bytes]
    fields: list[object]
    outbox: list[tuple[tuple[int, ...], bytes]]

    def __repr__(self) -> str:
        return f"_Kept({self.round})"


def seal_server(
    key: bytes, session: Session, round: Round | Aggregate | Failed, outbox: Outbox
) -> bytes:
    """A blob of the session in this round."""
    roster = b""
    if not isinstance(round, Advertising | Aggregate | Failed):
        roster = wire.encode(round.rostered.roster.columns)
    fields, frames = fields_of(round, _GIVEN), list(_frames(outbox))
    kept = _Kept(type(round).__name__, roster, session.missed, session.advertised, fields, frames)
    return seal(key, encode(kept), 0, SERVER_SNAPSHOT, session.transcript.params_digest)


def open_server(
    blob: Buffer, key: bytes, session: Session
) -> tuple[Round | Aggregate | Failed, Outbox]:
    """The round and the outbox in a blob; `session` notes who has missed what."""
    plaintext = unseal(key, blob, 0, SERVER_SNAPSHOT, session.transcript.params_digest)
    kept = msgspec.msgpack.decode(plaintext, type=_Kept)
    session.missed.update(kept.missed)
    session.advertised.update(kept.advertised)
    given: dict[type, object] = {Session: session}
    if kept.roster:
        rostered = Rostered.of(session, CheckedRoster.trusted(kept.roster, session.directory))
        given |= {Rostered: rostered, Neighbourhoods: rostered.neighbourhoods}
    return from_fields(_KINDS[kept.round], kept.fields, given), dict(_messages(kept.outbox))


def _frames(outbox: Outbox) -> Iterator[tuple[tuple[int, ...], bytes]]:
    """(receivers, frame): a message that goes to many is written once."""
    receivers: dict[int, list[int]] = {}
    for u, message in outbox.items():
        receivers.setdefault(id(message), []).append(u)
    return ((tuple(us), wire.encode(outbox[us[0]])) for us in receivers.values())


def _messages(
    frames: Iterable[tuple[tuple[int, ...], bytes]],
) -> Iterator[tuple[int, ServerMessage]]:
    for receivers, frame in frames:
        message: Any = wire.decode(frame)
        for u in receivers:
            yield u, message
