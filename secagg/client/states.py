"""The states of a client: each holds what later rounds need, and nothing else.

    Created → Advertised → Shared → Masked → Checked → Done;   anything illegal → Aborted
    the server's SessionEnd, from Advertised to Done → Ended

The input and the secret keys of u are gone when the masked input leaves (`Masked`); `Aborted` and
`Ended` hold nothing, and `end_key`, all that `Done` has, opens nothing.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, NewType

from secagg.masks.prg import RingVector
from secagg.messages import AdvertiseKeys
from secagg.roster import CheckedRoster

MaskKeyShare = NewType("MaskKeyShare", bytes)
"""A share of s_sk_v, 34 bytes: opens the pairwise masks of a client outside U3."""

SelfMaskShare = NewType("SelfMaskShare", bytes)
"""A share of b_v, 34 bytes: opens the self mask of a client in U3."""


class Held(NamedTuple):
    """What one owner dealt to this client. The two must never be released together."""

    s_share: MaskKeyShare
    b_share: SelfMaskShare

    def __repr__(self) -> str:
        return "Held(...)"


def released_share(held: Held, survived: bool) -> SelfMaskShare | MaskKeyShare:
    """The one share that may leave: of b_v if its owner is in U3, of s_sk_v if not."""
    return held.b_share if survived else held.s_share


@dataclass(frozen=True)
class Created:
    """Nothing was sent. `vectors` is the input, or None until the host provides it."""

    vectors: list[RingVector] | None = field(repr=False)


@dataclass(frozen=True)
class Advertised:
    """Round 0 was sent."""

    vectors: list[RingVector] | None = field(repr=False)
    c_sk: bytes = field(repr=False)
    s_sk: bytes = field(repr=False)
    b_u: bytes = field(repr=False)
    hello: AdvertiseKeys
    end_key: bytes = field(repr=False)


@dataclass(frozen=True)
class Shared:
    """Round 1 was sent: U1 is fixed; `channels` has the secret of c_sk with each v in N(u)."""

    vectors: list[RingVector] | None = field(repr=False)
    s_sk: bytes = field(repr=False)
    b_u: bytes = field(repr=False)
    roster: CheckedRoster = field(repr=False)
    channels: dict[int, bytes] = field(repr=False)
    own_share: SelfMaskShare = field(repr=False)
    end_key: bytes = field(repr=False)


@dataclass(frozen=True)
class Masked:
    """Round 2 was sent: `absent` is N(u) without U2(u), `held` what opened."""

    roster: CheckedRoster = field(repr=False)
    absent: frozenset[int]
    held: dict[int, Held] = field(repr=False)
    own_share: SelfMaskShare = field(repr=False)
    end_key: bytes = field(repr=False)


@dataclass(frozen=True)
class Checked:
    """Round 3 was sent: this client has signed this U3, and will sign no other."""

    roster: CheckedRoster = field(repr=False)
    U3: tuple[int, ...]
    held: dict[int, Held] = field(repr=False)
    own_share: SelfMaskShare = field(repr=False)
    end_key: bytes = field(repr=False)


@dataclass(frozen=True)
class Done:
    """Round 4 was sent; nothing is answered any more."""

    end_key: bytes = field(repr=False)


@dataclass(frozen=True)
class Ended:
    """The server has said that the session is over: with a sum, or without one."""

    summed: bool


@dataclass(frozen=True)
class Aborted:
    """Something illegal was seen; nothing is answered any more, and nothing is kept here.

    The exception that reports it still refers, by its traceback, to the state before.
    """


Running = Advertised | Shared | Masked | Checked | Done
State = Created | Running | Ended | Aborted
