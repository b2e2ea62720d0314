"""Each refusal of an argument is removed in turn, and then a mistake of the caller goes on.

Nobody attacks with these: they are what a host gives to its own masks, quantizers and decoders.  A
mistake that is let through is a wrong sum, a mask that hides nothing, or an error of numpy that
does not say what was expected.  `MISTAKES` names every one that `removed.checks` finds in these
modules, and makes it; without its refusal it is taken, or refused for another reason.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import secagg
from secagg import Quantizer, VectorSpec, masks
from secagg.client import inputs
from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.exact import ExactFloats
from secagg.messages import records
from secagg.sharing import reed_solomon
from secagg.sharing.shamir import SHARE_BYTES, combine, decode_shares, split
from tests.attacks.removed import LOCAL, Check, checks, remove
from tests.helpers.party import Party, shares_in
from tests.helpers.strategies import CounterRand

SEED = bytes(masks.SEED_BYTES)
SPEC = VectorSpec("x", 3, 16)
Mistake = tuple[str, Callable[[], Any]]
"""What the refusal says, and what is refused."""


def mask(vector: Any, seed: bytes = SEED, direction: int = 1) -> Callable[[], Any]:
    return lambda: masks.add_masks([vector], [(seed, direction)])


def too_many_vectors() -> None:
    """2^24 of them take gigabytes: here the limit is two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(masks.pairwise, "_MAX_VECTORS", 2)
        masks.add_masks([np.zeros(1, np.uint8)] * 2, [])


class Huge(np.ndarray):
    """A vector that says it is longer than the block counter reaches."""

    nbytes = 2**44 + 1  # type: ignore[assignment]


def frozen() -> Any:
    vector = np.zeros(3, np.uint16)
    vector.flags.writeable = False
    return vector


def quantizer(n: int = 3, bits: int = 16, clip: float = 1.0, **rest: Any) -> Callable[[], Any]:
    return lambda: Quantizer(n, bits, clip, **rest)


def quantized(values: Any, weight: Any = 1) -> Callable[[], Any]:
    return lambda: Quantizer(3, 16, 1.0, max_weight=2).encode(values, weight)


def exact(values: Any, weight: Any = 1) -> Callable[[], Any]:
    return lambda: ExactFloats(3, max_weight=2).encode(values, weight)


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


MISTAKES: dict[str, Mistake] = {
    "masks.pairwise.sign: u == v": ("no mask with itself", lambda: masks.sign(3, 3)),
    "masks.pairwise.add_masks: len(words) >= _MAX_VECTORS": (
        "expected less than",
        too_many_vectors,
    ),
    "masks.pairwise.add_masks: direction not in (1, -1)": (
        "the sign 2",
        mask(np.zeros(3, np.uint16), direction=2),
    ),
    "masks.pairwise.expand: index < 0": (
        "is negative",
        lambda: masks.expand(SEED, 3, "<u2", index=-1),
    ),
    "masks.pairwise._checked_seed: len(seed) != SEED_BYTES": (
        "a seed has 23 bytes",
        mask(np.zeros(3, np.uint16), SEED[1:]),
    ),
    "masks.pairwise._checked: not fits": ("1-d array of unsigned", mask(np.zeros(3, np.int16))),
    "masks.pairwise._checked: not vector.flags.c_contiguous": (
        "contiguous",
        mask(np.zeros(6, np.uint16)[::2]),
    ),
    "masks.pairwise._checked: not vector.flags.writeable": ("writeable", mask(frozen())),
    "masks.pairwise._checked: vector.nbytes > _MAX_BYTES": (
        "40-bit block counter",
        mask(np.zeros(3, np.uint16).view(Huge)),
    ),
    "masks.pairwise._checked: vector.dtype != vector.dtype.newbyteorder('<')": (
        "little-endian",
        mask(np.zeros(3, ">u2")),
    ),
    "quantize.Quantizer.__post_init__: self.n < 1": ("n=0", quantizer(n=0)),
    "quantize.Quantizer.__post_init__: not 2 <= self.bits <= 64": ("bits=65", quantizer(bits=65)),
    "quantize.Quantizer.__post_init__: self.max_weight < 1": (
        "max_weight=0",
        quantizer(max_weight=0),
    ),
    "quantize.Quantizer.__post_init__: not self.clip > 0": ("clip=-1.0", quantizer(clip=-1.0)),
    "quantize.Quantizer.__post_init__: not math.isfinite(self.clip)": (
        "clip=inf",
        quantizer(clip=np.inf),
    ),
    "quantize.Quantizer.__post_init__: not self._reach() <= _MAX_REACH": (
        "a finite product",
        quantizer(clip=1e308, max_weight=2**30),
    ),
    "quantize.Quantizer.__post_init__: not in_range": (
        "a power of two in",
        quantizer(bits=64, clip=1.0, scale=2.0**-1074),
    ),
    "quantize.Quantizer.__post_init__: not math.frexp(self.scale)[0] == 0.5": (
        "a power of two",
        quantizer(scale=3.0),
    ),
    "quantize.Quantizer.__post_init__: needed > self.bits": (
        "can wrap in 16 bits",
        quantizer(scale=2.0**15),
    ),
    "quantize.Quantizer.encode: not isinstance(weight, int | np.integer)": (
        "integer",
        quantized([1.0], 0.5),
    ),
    "quantize.Quantizer.encode: not 0 <= weight": ("integer in 0", quantized([1.0], -1)),
    "quantize.Quantizer.encode: not weight <= self.max_weight": (
        "integer in 0",
        quantized([1.0], 3),
    ),
    "quantize.Quantizer.encode: wanted.ndim != 1": ("one dimension", quantized([[1.0]])),
    "quantize.Quantizer._clip: not math.isfinite(low)": ("not finite", quantized([1.0, -np.inf])),
    "quantize.Quantizer._clip: not math.isfinite(high)": ("not finite", quantized([1.0, np.inf])),
    "quantize.Quantizer.decode: total.dtype != self.dtype": (
        "a sum of uint32",
        lambda: Quantizer(3, 16, 1.0).decode(np.zeros(1, np.uint32)),
    ),
    "quantize.Quantizer._finest_scale: room < 1": (
        "cannot hold a sum of n=9",
        quantizer(n=9, bits=4),
    ),
    "quantize.Quantizer._finest_scale: exponent < -_MAX_EXPONENT": (
        "expected at least 2\\^-1022",
        quantizer(n=2**15 - 1, clip=8e307, bits=16),
    ),
    "exact.ExactFloats.__post_init__: not 1 <= self.n": ("n=0", lambda: ExactFloats(0)),
    "exact.ExactFloats.__post_init__: not self.n <= _MAX_CLIENTS": (
        "n in 1..2\\^32",
        lambda: ExactFloats(2**32 + 1),
    ),
    "exact.ExactFloats.__post_init__: not 1 <= self.max_weight": (
        "max_weight=0",
        lambda: ExactFloats(3, max_weight=0),
    ),
    "exact.ExactFloats.__post_init__: not self.max_weight <= _MAX_WEIGHT": (
        "1..2\\^29",
        lambda: ExactFloats(3, max_weight=2**29 + 1),
    ),
    "exact.ExactFloats.encode: not isinstance(weight, int | np.integer)": (
        "no integer",
        exact([1.0], 0.5),
    ),
    "exact.ExactFloats.encode: not 0 <= weight": ("no integer in 0", exact([1.0], -1)),
    "exact.ExactFloats.encode: not weight <= self.max_weight": ("no integer in", exact([1.0], 3)),
    "exact.ExactFloats.encode: given.ndim != 1": ("one dimension", exact([[1.0, 2.0]])),
    "exact.ExactFloats.encode: not within.all()": ("beyond the range", exact([1.0, 1e39])),
    "exact.ExactFloats._signed: total.dtype != np.uint64": (
        "expected uint64",
        lambda: ExactFloats(3).decode(np.zeros(5, np.int64)),
    ),
    "exact.ExactFloats._signed: total.size % self.words": (
        "in multiples of",
        lambda: ExactFloats(3).decode(np.zeros(6, np.uint64)),
    ),
    "sharing.reed_solomon.correct: _check(xs, shares, t)": (
        "distinct",
        decoded(lambda xs, given, t: (xs * 0 + 1, given, t)),
    ),
    "sharing.reed_solomon.correct: found.sum() != len(locator) - 1": (
        "that can be",
        wrong_shares(3),
    ),
    "sharing.reed_solomon.correct: found.sum() + wrong.sum() > radius": (
        "that can be",
        lambda: beyond_the_radius(),
    ),
    "sharing.reed_solomon._check: xs.ndim != 1": (
        "expected \\[m\\]",
        decoded(lambda xs, given, t: (xs[:, None], given, t)),
    ),
    "sharing.reed_solomon._check: shares.ndim != 2": (
        "expected \\[m\\]",
        decoded(lambda xs, given, t: (xs, given[:, 0], t)),
    ),
    "sharing.reed_solomon._check: len(xs) != len(shares)": (
        "expected \\[m\\]",
        decoded(lambda xs, given, t: (xs[1:], given, t)),
    ),
    "sharing.reed_solomon._check: not 1 <= t": (
        "1 <= t",
        decoded(lambda xs, given, t: (xs, given, 0)),
    ),
    "sharing.reed_solomon._check: not t <= len(xs)": (
        "1 <= t",
        decoded(lambda xs, given, t: (xs, given, 8)),
    ),
    "sharing.reed_solomon._check: xs.min() < 1": (
        "distinct and in",
        decoded(lambda xs, given, t: (xs - 1, given, t)),
    ),
    "sharing.reed_solomon._check: xs.max() >= P": (
        "distinct and in",
        decoded(lambda xs, given, t: (xs + 65520, given, t)),
    ),
    "sharing.reed_solomon._check: len(np.unique(xs)) != len(xs)": (
        "distinct and in",
        decoded(lambda xs, given, t: (np.minimum(xs, 6), given, t)),
    ),
    "sharing.reed_solomon._check: shares.size and (shares.min() < 0 or shares.max() >= P)": (
        "digits of a share",
        decoded(lambda xs, given, t: (xs, given + 65521, t)),
    ),
    "client.inputs.checked: not isinstance(vectors, Mapping)": (
        "expected an array",
        lambda: inputs.with_tallies([SPEC], [np.zeros(3, np.uint16)]),  # type: ignore[arg-type]
    ),
    "client.inputs.checked: set(vectors) != set(names)": (
        "expected \\['x'\\]",
        lambda: inputs.with_tallies([SPEC], dict.fromkeys("xy", np.zeros(3, np.uint16))),
    ),
    "client.inputs._check_vector: seen != f'{spec.dtype}[{spec.length}]'": (
        "expected uint16\\[3\\]",
        lambda: inputs.with_tallies([SPEC], np.array([1, 2, 70000], np.uint32)),
    ),
}


def beyond_the_radius() -> Any:
    """A digit with two wrong holders, and another with a third: two of seven can be."""
    xs, given, t = shares()
    given[0, 0] = given[1, 0] = 7
    given[2, 1] = 7
    return reed_solomon.correct(xs, given, t)


def refused(says: str, mistake: Callable[[], Any]) -> bool:
    try:
        mistake()
    except (LocalProtocolError, RemoteProtocolError) as error:
        return re.search(says, str(error)) is not None
    except (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError, AttributeError):
        return False  # untyped, and it does not say what was expected
    return False


def test_every_refusal_has_its_mistake() -> None:
    assert {str(check) for check in checks(LOCAL)} == MISTAKES.keys()


@pytest.mark.parametrize("check", checks(LOCAL), ids=str)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_mistake_is_refused_if_and_only_if_the_check_is_there(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    says, mistake = MISTAKES[str(check)]
    assert refused(says, mistake)
    remove(monkeypatch, check)
    assert not refused(says, mistake)


def opened_mask_key(party: Party) -> bytes:
    """The public key of what the shares combine to that were released of client 10, a survivor."""
    party.after(3)
    party.collect()
    xs, released = [], b""
    for place, u in enumerate(party.ids[1:], 2):
        reply: Any = party.replies[u]
        xs.append(place)
        released += records(shares_in(reply, party.binding), SHARE_BYTES)[0]
    [secret] = combine(np.array(xs), decode_shares(released)[:, None])
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def test_what_a_share_is_released_as_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a refusal, but the one line that says which of two shares leaves."""
    party = Party(5)
    opened = opened_mask_key(party)
    assert opened not in {entry.s_pk for entry in party.server._round.rostered.roster.entries}
    monkeypatch.setattr(secagg.client.rounds, "released_share", lambda held, survived: held.s_share)
    party = Party(5)
    assert opened_mask_key(party) == party.server._round.rostered.roster.entries[0].s_pk
