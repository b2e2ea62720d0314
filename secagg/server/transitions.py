"""The transition table of the server: what each round takes, and which round follows it.

    Advertising  ── AdvertiseKeys ──▶  Sharing      with U1
    Sharing      ── ShareKeys ──────▶  Collecting   with U2
    Collecting   ── MaskedInput ────▶  Checking     with U3
    Checking     ── Consistency ────▶  Opening      with U4
    Opening      ── Unmasking ──────▶  Aggregate

A round that cannot be closed leads to `Failed` (`Server.close_round`).
"""

from secagg.errors import RemoteProtocolError
from secagg.messages import (
    AdvertiseKeys,
    ClientMessage,
    ConsistencyCheck,
    MaskedInput,
    ShareKeys,
    Unmasking,
)
from secagg.server.aggregate import Aggregate
from secagg.server.opening import Opening
from secagg.server.rounds import Advertising, Checking, Collecting, Sharing
from secagg.server.session import Outbox

Round = Advertising | Sharing | Collecting | Checking | Opening


def take(current: Round, message: ClientMessage) -> None:
    """Give a message to the round that it is of: every pair that is not here is refused."""
    match current, message:
        case Advertising(), AdvertiseKeys():
            current.receive(message)
        case Sharing(), ShareKeys():
            current.receive(message)
        case Collecting(), MaskedInput():
            current.receive(message)
        case Checking(), ConsistencyCheck():
            current.receive(message)
        case Opening(), Unmasking():
            current.receive(message)
        case _:
            raise RemoteProtocolError(
                f"client {message.u} sent a {type(message).__name__} while the server is "
                f"{type(current).__name__}, expected a message of that round"
            )


def close(current: Round) -> tuple[Round | Aggregate, Outbox]:
    """Close a round: the one that follows, and what is sent to begin it."""
    match current:
        case Advertising():
            rostered, outbox = current.close()
            return Sharing.begin(rostered), outbox
        case Sharing():
            relayed, outbox = current.close()
            return Collecting.begin(current.rostered, relayed), outbox
        case Collecting():
            collected, outbox = current.close()
            return Checking(current.rostered, collected), outbox
        case Checking():
            U4, outbox = current.close()
            return Opening.begin(current.rostered, current.collected, U4), outbox
        case Opening():
            return current.close()
