"""Each refusal of shares to be corrected is removed in turn, and then a mistake goes on."""

from collections.abc import Callable
from typing import Any

import numpy as np

from secagg.sharing import reed_solomon
from secagg.sharing.shamir import split
from tests.helpers.attacks import mistaken
from tests.helpers.breaks import Attacks
from tests.helpers.removed import ARGUMENTS
from tests.helpers.strategies import CounterRand

attacks = Attacks(*ARGUMENTS["sharing"])
breaks = attacks.breaks


def shares(m: int = 7, t: int = 3) -> tuple[Any, Any, int]:
    xs = np.arange(1, m + 1)
    return xs, split([b"s" * 32], t, xs, CounterRand(b"shares"))[:, 0].astype(np.int64), t


def decoded(change: Callable[[Any, Any, int], tuple[Any, Any, int]]) -> Callable[[], Any]:
    return lambda: reed_solomon.correct(*change(*shares()))


def wrong_shares(count: int, m: int = 7) -> Callable[[], Any]:
    """Of m shares with t = 3, so many are other digits."""

    def correct() -> Any:
        xs, given, t = shares(m)
        for i in range(count):
            given[i] = (given[i] * (i + 2) + 17 * i + 1) % 65521
        return reed_solomon.correct(xs, given, t)

    return correct


def beyond_the_radius() -> Any:
    """A digit with two wrong holders, and another with a third: two of seven can be."""
    xs, given, t = shares()
    given[0, 0] = given[1, 0] = 7
    given[2, 1] = 7
    return reed_solomon.correct(xs, given, t)


breaks("sharing.reed_solomon.correct", "_check(xs, shares, t)")(
    mistaken("distinct", decoded(lambda xs, given, t: (xs * 0 + 1, given, t)))
)
breaks("sharing.reed_solomon.correct", "found.sum() != len(locator) - 1")(
    mistaken("that can be", wrong_shares(3))
)
breaks("sharing.reed_solomon.correct", "found.sum() + wrong.sum() > radius")(
    mistaken("that can be", beyond_the_radius)
)
breaks("sharing.reed_solomon._check", "xs.ndim != 1")(
    mistaken("expected \\[m\\]", decoded(lambda xs, given, t: (xs[:, None], given, t)))
)
breaks("sharing.reed_solomon._check", "shares.ndim != 2")(
    mistaken("expected \\[m\\]", decoded(lambda xs, given, t: (xs, given[:, 0], t)))
)
breaks("sharing.reed_solomon._check", "len(xs) != len(shares)")(
    mistaken("expected \\[m\\]", decoded(lambda xs, given, t: (xs[1:], given, t)))
)
breaks("sharing.reed_solomon._check", "not 1 <= t")(
    mistaken("1 <= t", decoded(lambda xs, given, t: (xs, given, 0)))
)
breaks("sharing.reed_solomon._check", "not t <= len(xs)")(
    mistaken("1 <= t", decoded(lambda xs, given, t: (xs, given, 8)))
)
breaks("sharing.reed_solomon._check", "xs.min() < 1")(
    mistaken("distinct ones in", decoded(lambda xs, given, t: (xs - 1, given, t)))
)
breaks("sharing.reed_solomon._check", "xs.max() >= P")(
    mistaken("distinct ones in", decoded(lambda xs, given, t: (xs + 65520, given, t)))
)
breaks("sharing.reed_solomon._check", "len(np.unique(xs)) != len(xs)")(
    mistaken("distinct ones in", decoded(lambda xs, given, t: (np.minimum(xs, 6), given, t)))
)
breaks("sharing.reed_solomon._check", "shares.size and (shares.min() < 0 or shares.max() >= P)")(
    mistaken("digits of a share", decoded(lambda xs, given, t: (xs, given + 65521, t)))
)

test_every_refusal_has_its_mistake, test_a_mistake_needs_its_refusal_gone = attacks.tests()
