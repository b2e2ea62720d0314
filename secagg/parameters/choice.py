"""`choose`: the graph, k and t for n clients, or a refusal that says what could be met instead.

    complete graph    t = min_survivors = ⌊(n+corrupt)/2⌋+1; nothing random, nothing to grind
    ring (Harary)     the least even k for which the rule of the adversary leaves room for a t

"auto" is the cheaper: n·k/2 masks against n·(n−1)/2, and of equals the complete graph. Seconds do
not count, as all parties have to choose the same.  Up to 50 clients, where there is little to save,
it is the complete graph.  For a server that is merely curious the rule has a name of its own,
`choose_curious_only`, as it holds against no other, and the ring is taken there for any n.  Nothing
here knows keys, messages or seconds.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, get_args

import numpy as np

from secagg.errors import LocalProtocolError
from secagg.parameters.quorum import sample_bits
from secagg.parameters.rules import (
    LABELS,
    LEAST_GRINDING_BITS,
    LEAST_PRIVACY_BITS,
    ActiveRing,
    Adversary,
    Bound,
    CuriousRing,
    RingRule,
    Setting,
    check_bits,
)

MAX_CLIENTS = 65520
"""The x-coordinate of a share is the roster index + 1, a nonzero element of GF(65521)."""

COMPLETE_UP_TO = 50
"""Against an active server "auto" takes the complete graph up to so many clients: 1225 masks."""

GraphChoice = Literal["auto", "complete", "harary"]


@dataclass(frozen=True)
class Choice:
    """Parameters for one session, and the probabilities they were chosen for.

    k: neighbours of each client, None on the complete graph.
    t: shares that open a secret.
    corrupt, dropped: the clients that may be corrupt, and that may be missing at the end.
    min_roster, min_survivors: the fewest clients of U1 and of U3 that a client accepts.
    bounds: what is required and what is met, as log2 of probabilities; privacy is counted for one
        drawing of the ring, of which an active server may try 2^grinding_bits.
    """

    n: int
    k: int | None
    t: int
    corrupt: int
    dropped: int
    min_roster: int
    min_survivors: int
    adversary: Adversary
    privacy_bits: int
    correctness_bits: int
    grinding_bits: int
    bounds: tuple[Bound, ...]

    @property
    def label(self) -> str:
        """Whom the choice holds against: to be shown wherever the choice is."""
        return LABELS[self.adversary]

    @property
    def neighbours(self) -> int:
        """|N(u)| in a full roster."""
        return self.n - 1 if self.k is None else self.k

    @property
    def leak(self) -> float:
        """log2 of the most with which a server learns more than the sum, having tried as many rings
        as it may, and told each client another quorum; −inf on the complete graph."""
        rings = float(np.logaddexp2.reduce([bound.met for bound in self.bounds[:-1]]))
        leak = rings + self.grinding_bits
        if self.k is not None and self.adversary == "active":
            leak = float(np.logaddexp2(leak, -sample_bits(self.privacy_bits)))
        return min(leak, 0.0)

    @property
    def no_sum(self) -> float:
        """log2 of the most with which `dropped` clients, drawn at random, leave no sum."""
        return self.bounds[-1].met


def choose(
    n: int,
    *,
    corrupt: int | float,
    dropout: float,
    privacy_bits: int = LEAST_PRIVACY_BITS,
    correctness_bits: int = 20,
    grinding_bits: int = LEAST_GRINDING_BITS,
    min_roster: int | None = None,
    graph: GraphChoice = "auto",
) -> Choice:
    """The cheapest parameters with which n clients keep their inputs private and get their sum.

    Cheapest is fewest masks; up to n = 50 the graph is complete. The choice is a function of the
    arguments alone, the same on every host.

    Args:
        n: the most clients of a session, 2..65520.
        corrupt: the most that any roster drawn from the directory may hold: a number (int), or a
            fraction of n (float), rounded down.
        dropout: the fraction of n, rounded down, that may be missing at the end of round 4,
            whenever it went and for whatever reason; clients that refuse to answer are part of it.
        privacy_bits: a session is allowed to leak with 2^-bits; at least 40.
        correctness_bits: it is allowed to give no sum with 2^-bits; at least 1.
        grinding_bits: the server may try 2^bits rosters before it shows one; at least 64.
        min_roster: the fewest clients of U1. The default lets all of the dropout happen before U1
            is fixed.
        graph: "auto", or the one to use.

    Raises:
        LocalProtocolError: when no parameters do, with the numbers that could be had instead.
    """
    check_bits("grinding_bits", grinding_bits, LEAST_GRINDING_BITS)
    bits = (privacy_bits, correctness_bits, grinding_bits)
    setting = _setting(n, corrupt, dropout, min_roster, bits, graph)
    if graph == "complete" or (graph == "auto" and n <= COMPLETE_UP_TO):
        return _complete(setting, "active")
    return _ring_or_complete(setting, "active", graph)


def choose_curious_only(
    n: int,
    *,
    corrupt: int | float,
    dropout: float,
    privacy_bits: int = LEAST_PRIVACY_BITS,
    correctness_bits: int = 20,
    min_roster: int | None = None,
    graph: GraphChoice = "auto",
) -> Choice:
    """As `choose`, but a ring holds only against a server that follows the protocol.

    A server that picks who drops, or what it tells whom, opens parts of such a ring alone. It is
    the published rule of Bell et al. 2020, which is about exactly n clients: the default of
    min_roster is n. `secagg.graph.graph_of` gives the graph, a `CuriousOnlyHarary`.
    """
    bits = (privacy_bits, correctness_bits, 0)
    setting = _setting(n, corrupt, dropout, n if min_roster is None else min_roster, bits, graph)
    if graph == "complete":
        return _complete(setting, "curious")
    return _ring_or_complete(setting, "curious", graph)


def _ring_or_complete(setting: Setting, adversary: Adversary, graph: GraphChoice) -> Choice:
    n = setting.n
    ring = _ring(setting, adversary, most=n - 2 if graph == "auto" else n - 1)
    if ring is not None:
        return ring
    if graph == "auto":
        return _complete(setting, adversary)
    raise LocalProtocolError(_no_ring(setting, adversary))


def _setting(
    n: int,
    corrupt: int | float,
    dropout: float,
    min_roster: int | None,
    bits: tuple[int, int, int],
    graph: GraphChoice,
) -> Setting:
    """What is asked for, as numbers of clients; or a refusal, if no graph could give it."""
    _check_size(n)
    check_bits("privacy_bits", bits[0], LEAST_PRIVACY_BITS)
    check_bits("correctness_bits", bits[1], 1)
    if graph not in get_args(GraphChoice):
        raise LocalProtocolError(f"graph {graph!r}, expected one of 'auto', 'complete', 'harary'")
    bad, dropped = _count("corrupt", corrupt, n), _count("dropout", float(dropout), n)
    if n - bad < 2:
        raise LocalProtocolError(
            f"n={n} clients with {bad} corrupt, expected two honest: the sum of one is its input"
        )
    setting = Setting(n, bad, dropped, n - dropped if min_roster is None else min_roster, *bits)
    _refuse_without_quorum(setting)
    return setting


def _check_size(n: int) -> None:
    if type(n) is not int or not 2 <= n <= MAX_CLIENTS:
        raise LocalProtocolError(
            f"n={n} clients, expected 2..{MAX_CLIENTS}; shard more of them into sessions of at "
            f"most {MAX_CLIENTS} and add the sums (the server then learns each session's sum)"
        )


def _count(name: str, value: int | float, n: int) -> int:
    """A number of clients; a fraction of n is exact in decimals: ⌊0.29 · 100⌋ = 29."""
    if isinstance(value, float):
        if not 0 <= value < 1:
            raise LocalProtocolError(f"{name}={value}, expected a fraction in [0, 1)")
        return math.floor(Fraction(str(value)) * n)
    if not 0 <= value < n:
        raise LocalProtocolError(f"{name}={value} clients, expected 0..n-1={n - 1}")
    return value


def _refuse_without_quorum(s: Setting) -> None:
    if s.survivors < s.quorum:
        raise LocalProtocolError(
            f"{s.survivors} survivors of n={s.n}, expected at least min_survivors={s.quorum} "
            f"= ⌊(n+corrupt)/2⌋+1; {_could_be_met(s, 1, _has_quorum)}"
        )
    if not s.quorum <= s.min_roster <= s.n:
        raise LocalProtocolError(
            f"min_roster={s.min_roster}, expected min_survivors={s.quorum}..n={s.n}"
        )


def _complete(s: Setting, adversary: Adversary) -> Choice:
    dropouts = f"{s.dropped} dropouts leave fewer than {s.quorum} survivors"
    bounds = (
        Bound("two sets of survivors are summed", -s.privacy_bits, -math.inf),
        Bound(dropouts, -s.correctness_bits, -math.inf),
    )
    return _choice(s, adversary, None, s.quorum, bounds)


def _ring(s: Setting, adversary: Adversary, most: int) -> Choice | None:
    rule = _rule(s, adversary)
    k = _least_k(rule, min(most, s.min_roster - 1))
    if k is None:
        return None
    t = rule.allowed(k)[0]
    return _choice(s, adversary, k, t, rule.bounds(k, t))


def _choice(
    s: Setting, adversary: Adversary, k: int | None, t: int, bounds: tuple[Bound, ...]
) -> Choice:
    return Choice(
        n=s.n,
        k=k,
        t=t,
        corrupt=s.corrupt,
        dropped=s.dropped,
        min_roster=s.min_roster,
        min_survivors=s.quorum,
        adversary=adversary,
        privacy_bits=s.privacy_bits,
        correctness_bits=s.correctness_bits,
        grinding_bits=s.grinding_bits,
        bounds=bounds,
    )


def _rule(s: Setting, adversary: Adversary) -> RingRule:
    return ActiveRing(s) if adversary == "active" else CuriousRing(s)


def _least_k(rule: RingRule, most: int) -> int | None:
    """The least even k ≤ most that leaves room for a t.

    From k to k+2 the room grows by `rule.growth` at most, so k leaps over what is missing.
    """
    k = 2
    while k <= most:
        low, high = rule.allowed(k)
        if low <= high:
            return k
        k += 2 * math.ceil((low - high) / rule.growth)
    return None


def _no_ring(s: Setting, adversary: Adversary) -> str:
    def met(asked: Setting) -> bool:
        most = min(asked.n, asked.min_roster) - 1
        return _has_quorum(asked) and _least_k(_rule(asked, adversary), most) is not None

    return (
        f"no ring of {s.n} clients withstands {s.corrupt} corrupt and {s.dropped} missing: "
        f"{_could_be_met(s, max(1, s.n // 200), met)}; the complete graph withstands both"
    )


def _has_quorum(s: Setting) -> bool:
    return s.quorum <= s.survivors


def _could_be_met(s: Setting, grain: int, met: Callable[[Setting], bool]) -> str:
    dropped = _most(s.dropped, grain, lambda d: met(_asked(s, dropped=d)))
    corrupt = _most(s.corrupt, grain, lambda c: met(_asked(s, corrupt=c)))
    return (
        f"with {s.corrupt} corrupt, {_could_be(dropped, s.n)} missing; "
        f"with {s.dropped} missing, {_could_be(corrupt, s.n)} corrupt"
    )


def _asked(s: Setting, *, corrupt: int | None = None, dropped: int | None = None) -> Setting:
    """The same wish with another corrupt or dropped; a min_roster that followed dropped follows."""
    if corrupt is not None:
        return replace(s, corrupt=corrupt)
    dropped = s.dropped if dropped is None else dropped
    follows = s.min_roster == s.n - s.dropped
    return replace(s, dropped=dropped, min_roster=s.n - dropped if follows else s.min_roster)


def _most(below: int, grain: int, met: Callable[[int], bool]) -> int:
    """The largest value < below, to within `grain`, for which `met` holds; −1 if none.

    `met` is true up to some value and false above it.
    """
    low, high = -1, below
    while high - low > grain or (low < 0 < high):
        middle = (low + high) // 2
        low, high = (middle, high) if met(middle) else (low, middle)
    return low


def _could_be(most: int, n: int) -> str:
    if most < 0:
        return "not even 0"
    return f"{most} ({math.floor(1000 * most / n) / 10:g} %) could be"
