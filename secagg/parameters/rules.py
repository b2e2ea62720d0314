"""What (k, t) of a ring must satisfy, and how much of each allowance it uses.

    active    t ≥ k/2 + 2 + h       h bounds the corrupt among any k/2 clients in a row,
                                    except with 2^-(σ+1), σ = privacy bits + grinding bits
    curious   t > x, and random dropouts leave the ring connected,
                                    x bounds the corrupt neighbours of any client, σ = privacy bits
    both      every client keeps t living neighbours, except with 2^-correctness_bits

A client's neighbours are two rows of k/2, so x ≤ 2h and the active rule contains 2t > k+1+x.
Proofs: docs/decisions/0002-choosing-k-and-t.md.  The curious rule is the published one (Bell et al.
2020); it says nothing about a server that chooses who drops, which is what an active server does.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal, Protocol

from secagg.errors import LocalProtocolError
from secagg.parameters.tails import Hypergeometric, log2_factorials

Adversary = Literal["active", "curious"]

LABELS: dict[Adversary, str] = {
    "active": "holds against an active server",
    "curious": "honest-but-curious: does not hold against an active server",
}
"""What must stand beside a choice wherever it is printed."""

LEAST_PRIVACY_BITS = 40
"""2^-40 for one session: a million sessions a year leak once in a million years. It is the usual
statistical parameter (Bell et al. 2020), and nothing that is computed later makes it better."""

LEAST_GRINDING_BITS = 64
"""A server tries rosters at its leisure, and asks nobody. To draw the ring of 1000 clients takes
about 2^7 permutations of Keccak, so 2^64 rosters are 2^71 of them."""

MOST_BITS = 1024
"""No tail is that small for any reason but that it is 0."""


def check_bits(name: str, value: int, least: int) -> None:
    """Raise LocalProtocolError unless this is an int from `least` to MOST_BITS."""
    if type(value) is not int or not least <= value <= MOST_BITS:
        raise LocalProtocolError(f"{name}={value!r}, expected an int in {least}..{MOST_BITS}")


@dataclass(frozen=True)
class Bound:
    """One probability, as log2: at most 2^required was asked for, at most 2^met is achieved."""

    what: str
    required: float
    met: float


@dataclass(frozen=True)
class Setting:
    """What a caller asks for, in numbers of clients."""

    n: int
    corrupt: int
    dropped: int
    min_roster: int
    privacy_bits: int
    correctness_bits: int
    grinding_bits: int

    @property
    def survivors(self) -> int:
        """Clients that answer every round."""
        return self.n - self.dropped

    @property
    def quorum(self) -> int:
        """The least min_survivors with which two U3 cannot both gather enough signatures."""
        return quorum(self.n, self.corrupt)


def quorum(n: int, corrupt: int) -> int:
    """⌊(n+corrupt)/2⌋+1: any two sets of so many among n clients share an honest one."""
    return (n + corrupt) // 2 + 1


class RingRule(Protocol):
    """One adversary's rule for a ring of k neighbours."""

    growth: ClassVar[int]
    """The most by which largest − least t grows from k to k+2."""

    def allowed(self, k: int) -> tuple[int, int]:
        """The least t that keeps the inputs private and the largest that random dropouts leave."""

    def bounds(self, k: int, t: int) -> tuple[Bound, ...]:
        """What the rule requires of (k, t), and what it meets."""


@dataclass(frozen=True)
class ActiveRing:
    """Against a server that sees the ring, then picks who drops and what each client is told."""

    growth: ClassVar[int] = 1  # the largest t grows by 2 at most, the least t by 1 at least
    setting: Setting

    def allowed(self, k: int) -> tuple[int, int]:
        """The least t that no cut of the ring reaches, and the largest that dropouts leave."""
        row = Hypergeometric(self.setting.min_roster, self.setting.corrupt, k // 2)
        h = row.least_bound(self._limit - math.log2(self.setting.n))
        return k // 2 + 2 + h, _largest_threshold(self.setting, self._living(k))

    def bounds(self, k: int, t: int) -> tuple[Bound, ...]:
        """Privacy for one drawing of the ring, and correctness."""
        s = self.setting
        leak = ring_leak(k, t, n=s.n, corrupt=s.corrupt, min_roster=s.min_roster)
        what = f"more than {t - k // 2 - 2} corrupt among some {k // 2} in a row of the ring"
        return Bound(what, self._limit, leak), _each_keeps(s, self._living(k), t)

    @property
    def _limit(self) -> float:
        return -(self.setting.privacy_bits + self.setting.grinding_bits + 1)

    def _living(self, k: int) -> Hypergeometric:
        """Holders left to a client that is gone; one that stays has its own share besides."""
        others = self.setting.n - 1
        return Hypergeometric(others, min(self.setting.survivors, others), k)


@dataclass(frozen=True)
class CuriousRing:
    """Against a server that follows the protocol and only looks: Bell et al. 2020."""

    growth: ClassVar[int] = 2
    setting: Setting

    def allowed(self, k: int) -> tuple[int, int]:
        """Least and largest t; no t at all for a k that leaves the ring disconnected."""
        limit = self._limit - math.log2(self.setting.n)
        x = self._corrupt_among(k).least_bound(limit)
        high = _largest_threshold(self.setting, self._living(k))
        return x + 1, high if self._log2_cut(k) < self._limit else min(high, x)

    def bounds(self, k: int, t: int) -> tuple[Bound, ...]:
        """Connectivity, privacy of one secret, correctness."""
        s = self.setting
        secret = curious_leak(k, t, n=s.n, corrupt=s.corrupt, min_roster=s.min_roster)
        return (
            Bound("dropped and corrupt clients cut the ring", self._limit, self._log2_cut(k)),
            Bound(f"{t} corrupt among the {k} neighbours of a client", self._limit, secret),
            _each_keeps(self.setting, self._living(k), t),
        )

    @property
    def _limit(self) -> float:
        return -(self.setting.privacy_bits + 1)

    def _living(self, k: int) -> Hypergeometric:
        """As published: k draws from all n."""
        return Hypergeometric(self.setting.n, self.setting.survivors, k)

    def _corrupt_among(self, drawn: int) -> Hypergeometric:
        return Hypergeometric(self.setting.min_roster, self.setting.corrupt, drawn)

    def _log2_cut(self, k: int) -> float:
        """log2 of n(n−k−1)/2 · [B!/(B−k)!]·[(n−k)!/n!]: two runs of k/2 among B that are gone."""
        n, gone = self.setting.n, self.setting.corrupt + self.setting.dropped
        if k > gone or k >= n - 1:
            return -math.inf
        f = log2_factorials(n)
        pairs = math.log2(n * (n - k - 1) / 2)
        return pairs + float(f[gone] - f[gone - k] + f[n - k] - f[n])


@lru_cache(maxsize=64)
def least_ring_threshold(
    k: int,
    *,
    n: int,
    corrupt: int,
    min_roster: int,
    adversary: Adversary,
    privacy_bits: int,
    grinding_bits: int,
) -> int:
    """The least t that keeps the inputs private on a ring of k neighbours, whoever drops."""
    setting = Setting(n, corrupt, 0, min_roster, privacy_bits, 1, grinding_bits)
    ring = ActiveRing(setting) if adversary == "active" else CuriousRing(setting)
    return ring.allowed(k)[0]


def ring_leak(k: int, t: int, *, n: int, corrupt: int, min_roster: int) -> float:
    """log2 of the probability that one drawing of the ring breaks the active rule for (k, t).

    A union over the at most n rows; a server that tries 2^g rosters multiplies it by 2^g.
    """
    row = Hypergeometric(min_roster, corrupt, k // 2)
    return math.log2(n) + row.log2_above(t - k // 2 - 2)


def curious_leak(k: int, t: int, *, n: int, corrupt: int, min_roster: int) -> float:
    """log2 of the probability that some client has t corrupt among its k neighbours."""
    return math.log2(n) + Hypergeometric(min_roster, corrupt, k).log2_above(t - 1)


def _each_keeps(setting: Setting, living: Hypergeometric, t: int) -> Bound:
    """Every client keeps t living holders: a union over n clients."""
    failure = math.log2(setting.n) + living.log2_below(t)
    what = f"{setting.dropped} random dropouts leave a client fewer than {t} holders"
    return Bound(what, -setting.correctness_bits, failure)


def _largest_threshold(setting: Setting, living: Hypergeometric) -> int:
    return living.largest_floor(-setting.correctness_bits - math.log2(setting.n))
