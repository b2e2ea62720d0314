"""What the server sees depends on the honest inputs through their sum alone.

Real sessions with inputs x, and sessions with random inputs x′ of the same sum over the survivors;
every field of the transcript as samples of bytes; two-sample tests between the two worlds, and
tests against the uniform distribution where masks or shares must be uniform.  All randomness is
fixed, so a test always passes or always fails.  The last tests are the sanity check: with a mask
left out, the same tests see it.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

import secagg
from secagg import masks, wire
from secagg.client import rounds as client_rounds
from secagg.keys import Transcript as Bound
from secagg.messages import (
    CIPHERTEXT_BYTES,
    AdvertiseKeys,
    ClientMessage,
    MaskedInput,
    Roster,
    ShareKeys,
    Unmasking,
)
from secagg.roster import CheckedRoster
from tests.helpers.party import SERVER_KEY, SERVER_PUBLIC, identity, shares_in
from tests.helpers.steady import Stream

N, LENGTH, SESSIONS = 5, 24, 60
DROP = {50: 2, 40: 4}
"""50 shares keys and sends no input: its s_sk is opened. 40 is missing in the last round."""
SURVIVORS = (10, 20, 30, 40)
IDS = tuple(10 * (i + 1) for i in range(N))
SPECS = (secagg.VectorSpec("narrow", LENGTH, 13), secagg.VectorSpec("wide", LENGTH, 64))
Inputs = dict[int, dict[str, Any]]
Transcript = dict[str, NDArray[np.uint8]]
"""Name of a field → samples of it [sessions × clients, bytes]."""


def telling_inputs(session: int) -> Inputs:
    """What a curious server would love to see: few distinct values, all of them telling."""
    return {u: {spec.name: np.full(LENGTH, u // 10, spec.dtype) for spec in SPECS} for u in IDS}


def modulus_mask(spec: secagg.VectorSpec) -> Any:
    """2^bits − 1 as a word."""
    return spec.dtype.type(2**spec.bits - 1)


def random_inputs(session: int) -> Inputs:
    """Uniform inputs with the same sum over the survivors."""
    inputs, draw = telling_inputs(session), Stream("inputs", session)
    for spec in SPECS:
        mask = modulus_mask(spec)
        total = sum(inputs[u][spec.name] for u in SURVIVORS)
        words = {
            u: np.frombuffer(draw(LENGTH * spec.dtype.itemsize), spec.dtype) & mask for u in IDS
        }
        others = sum((words[u] for u in SURVIVORS[1:]), np.zeros(LENGTH, spec.dtype))
        words[SURVIVORS[0]] = (total - others) & mask
        for u in IDS:
            inputs[u][spec.name] = words[u]
    return inputs


def transcript(inputs: Callable[[int], Inputs], world: str, *, sound: bool = True) -> Transcript:
    """All that the server receives in SESSIONS sessions, field by field, and the sums.

    Unless the masking is `sound`, a session may end in the typed error instead.
    """
    fields: dict[str, list[bytes]] = defaultdict(list)
    keys = {u: identity(u) for u in IDS}
    params = secagg.Params(
        N, SPECS, t=3, corrupt=0, session=b"of the simulator", server_key=SERVER_PUBLIC
    )
    directory = secagg.Pinned({u: keys[u].public_key().public_bytes_raw() for u in IDS})
    digest = params.digest(directory.digest)
    bindings: list[Bound] = []

    def link(sender: int | None, receiver: int | None, frame: bytes) -> bytes:
        message = wire.decode(frame)
        if isinstance(message, Roster):
            bindings.append(Bound(digest, CheckedRoster(message, secagg.Pinned({})).digest))
        if receiver is None:
            note(fields, message, bindings)
        return frame

    for session in range(SESSIONS):
        rand, mine = Stream(world, session), inputs(session)
        try:
            result = secagg.run(
                params,
                mine,
                drop=DROP,
                signing_keys=keys,
                rand=rand,
                link=link,
                private_key=SERVER_KEY,
            )
        except secagg.RemoteProtocolError:
            assert not sound
            continue
        assert result.survivors == SURVIVORS
        for spec in SPECS:
            total = result.vectors[spec.name]
            expected = sum(mine[u][spec.name] for u in SURVIVORS)
            assert not sound or (total == expected & modulus_mask(spec)).all()
            fields[f"sum {spec.name}"].append(total.tobytes())
    return {
        name: np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
        for name, rows in fields.items()
    }


def note(fields: dict[str, list[bytes]], message: Any, bindings: list[Bound]) -> None:
    """Every field of a client message, and how long it is; ids are public and checked apart."""
    name, u = type(message).__name__, message.u
    fields["who"].append(u.to_bytes(8, "little"))
    fields["frame size"].append(len(wire.encode(message)).to_bytes(8, "little"))
    match message:
        case AdvertiseKeys():
            fields["c_pk"].append(message.c_pk)
            fields["s_pk"].append(message.s_pk)
            fields["commitment"].append(message.commitment)
        case ShareKeys():
            raw = bytes(message.ciphertexts)
            for start in range(0, len(raw), CIPHERTEXT_BYTES):
                fields["ciphertext"].append(raw[start : start + CIPHERTEXT_BYTES])
        case MaskedInput():
            for spec, vector in zip(SPECS, message.vectors, strict=True):
                fields[f"masked {spec.name}"].append(bytes(vector))
            fields["unopened"].append(len(message.unopened).to_bytes(8, "little"))
        case Unmasking():
            owners = IDS
            fields["sealed shares"].append(bytes(message.sealed))
            raw = shares_in(message, bindings[-1])
            for i, owner in enumerate(owners):
                kind = "b" if owner in SURVIVORS else "s_sk"
                fields[f"share of {kind}"].append(raw[34 * i : 34 * (i + 1)])
    fields[f"signature of {name}"].append(message.signature)


@lru_cache
def worlds() -> tuple[Transcript, Transcript]:
    """With the real inputs, and with the simulator's."""
    return transcript(telling_inputs, "real"), transcript(random_inputs, "simulated")


# The statistics: numpy, and limits far out, since the seeds are fixed and the samples large.

LIMIT = 5.0
"""Standard deviations. A true null exceeds it once in a million."""


def bytes_differ(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Two-sample chi-square over byte values, in standard deviations above its mean."""
    counts = np.stack([np.bincount(a.ravel(), minlength=256) for a in (one, other)]).astype(float)
    used = counts.sum(axis=0) > 0
    counts, freedom = counts[:, used], int(used.sum()) - 1
    if freedom == 0:
        return 0.0
    rows = counts.sum(axis=1, keepdims=True)
    expected = rows * counts.sum(axis=0) / counts.sum()
    return float((((counts - expected) ** 2 / expected).sum() - freedom) / (2 * freedom) ** 0.5)


def not_uniform(sample: NDArray[np.uint8]) -> float:
    """One-sample chi-square of byte values against the uniform distribution, the same way."""
    counts = np.bincount(sample.ravel(), minlength=256)
    expected = counts.sum() / 256
    return float((((counts - expected) ** 2 / expected).sum() - 255) / (2 * 255) ** 0.5)


def kolmogorov_smirnov(one: NDArray[Any], other: NDArray[Any]) -> float:
    """√(nm/(n+m)) · sup|F − G|: above 2.5 it is no chance (2·e^(−2·2.5²) < 1 in 10^5)."""
    values = np.sort(np.concatenate([one, other]))
    F, G = (np.searchsorted(np.sort(a), values, side="right") / len(a) for a in (one, other))
    return float(np.abs(F - G).max() * (len(one) * len(other) / (len(one) + len(other))) ** 0.5)


def numbers(rows: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The first 8 bytes of each sample as a number."""
    padded = np.zeros((len(rows), 8), np.uint8)
    padded[:, : min(8, rows.shape[1])] = rows[:, :8]
    return padded.view("<u8").ravel().astype(np.float64)


PUBLIC = ("who", "frame size", "unopened", "sum narrow", "sum wide")
MASKED = (
    "c_pk", "s_pk", "commitment", "ciphertext", "masked narrow", "masked wide",
    "share of b", "share of s_sk", "sealed shares",
    *(f"signature of {m.__name__}" for m in get_args(ClientMessage)),
)  # fmt: skip


def test_the_two_worlds_have_the_same_fields_of_the_same_shapes() -> None:
    real, simulated = worlds()
    assert real.keys() == simulated.keys() == {*PUBLIC, *MASKED}
    assert {name: rows.shape for name, rows in real.items()} == {
        name: rows.shape for name, rows in simulated.items()
    }


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_public_is_the_same(name: str) -> None:
    """Ids, sizes, complaints and the sum do not differ at all."""
    real, simulated = worlds()
    assert (real[name] == simulated[name]).all()


@pytest.mark.parametrize("name", MASKED)
def test_no_field_tells_the_worlds_apart(name: str) -> None:
    real, simulated = worlds()
    assert bytes_differ(real[name], simulated[name]) < LIMIT
    assert kolmogorov_smirnov(numbers(real[name]), numbers(simulated[name])) < 2.5
    for column in range(real[name].shape[1]):
        assert bytes_differ(real[name][:, column], simulated[name][:, column]) < LIMIT, column


def words_of(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The eight bytes of each 64-bit word, the tally word included."""
    return rows.reshape(-1, 8)


@pytest.mark.parametrize("byte", range(8))
def test_masked_words_are_uniform_in_every_byte(byte: int) -> None:
    for world in worlds():
        assert not_uniform(words_of(world["masked wide"])[:, byte]) < LIMIT


def bits_of(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The 13 bits of each narrow word, [words, 13]."""
    bits = np.unpackbits(rows, axis=1, bitorder="little")[:, : 13 * (LENGTH + 1)]
    return bits.reshape(-1, 13)


@pytest.mark.parametrize("bit", range(13))
def test_masked_words_are_uniform_in_every_bit_of_a_13_bit_ring(bit: int) -> None:
    for world in worlds():
        column = bits_of(world["masked narrow"])[:, bit]
        assert abs(column.mean() - 0.5) < LIMIT * 0.5 / len(column) ** 0.5


def test_the_tally_word_is_masked_too() -> None:
    for world in worlds():
        assert not_uniform(world["masked wide"][:, -8:]) < LIMIT


def test_masks_of_two_clients_and_of_two_sessions_are_independent() -> None:
    """The exclusive or of any two masked vectors is uniform as well."""
    rows = worlds()[0]["masked wide"]
    for shift in (1, len(SURVIVORS)):
        assert not_uniform(rows[:-shift] ^ rows[shift:]) < LIMIT


def share_digits(rows: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The 16 lower digits of each share (the highest digit of a secret is not uniform)."""
    return rows.reshape(len(rows), 17, 2)[:, :16].reshape(-1, 2).copy().view("<u2").astype(float)


@pytest.mark.parametrize("kind", ["share of b", "share of s_sk"])
def test_released_shares_are_uniform(kind: str) -> None:
    for world in worlds():
        digits = share_digits(world[kind]).ravel()
        uniform = np.arange(65521, dtype=float)
        assert kolmogorov_smirnov(digits, uniform) < 2.5


# The sanity check: what these tests are worth.


def without_masks(vectors: Any, streams: Any, prg: masks.Prg) -> None:
    list(streams)


def half_masked(vectors: Any, streams: Any, prg: masks.Prg) -> None:
    """Masks of 32 bits in a ring of 64: the fault that was seen in other systems, twice as wide."""
    for seed, direction in streams:
        for i, vector in enumerate(vectors):
            mask = masks.expand(seed, len(vector), vector.dtype, index=i)
            mask &= vector.dtype.type(2 ** (4 * vector.itemsize) - 1)
            vector += mask if direction == 1 else -mask


def views_with(monkeypatch: pytest.MonkeyPatch, add_masks: Any) -> tuple[Transcript, ...]:
    """Both worlds, where clients mask in another way."""
    unsound = SimpleNamespace(sign=masks.sign, add_masks=add_masks)
    monkeypatch.setattr(client_rounds, "masks", unsound)
    return (
        transcript(telling_inputs, "real", sound=False),
        transcript(random_inputs, "simulated", sound=False),
    )


def test_without_masks_the_worlds_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    real, simulated = views_with(monkeypatch, without_masks)
    for name in ("masked wide", "masked narrow"):
        assert bytes_differ(real[name], simulated[name]) > 10 * LIMIT
    assert not_uniform(words_of(real["masked wide"])[:, 0]) > 10 * LIMIT


def test_masks_of_half_the_width_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every byte of each word counts: the low half passes, the high half does not."""
    real, simulated = views_with(monkeypatch, half_masked)
    words = words_of(real["masked wide"])
    assert not_uniform(words[:, 0]) < LIMIT < not_uniform(words[:, 7])
    assert bytes_differ(words[:, 7], words_of(simulated["masked wide"])[:, 7]) > LIMIT


def test_one_mask_for_two_sessions_is_told_apart() -> None:
    """A seed that serves twice leaves each vector uniform, and their difference plain."""
    real = worlds()[0]["masked wide"]
    again = transcript(telling_inputs, "real")["masked wide"]
    assert not_uniform(again) < LIMIT
    assert not_uniform(real ^ again) > 10 * LIMIT


def test_the_statistics_see_a_small_bias() -> None:
    """One byte in twenty is zero: enough for the chi-square; a shift by 1/8 for the other."""
    sample = np.frombuffer(Stream("bias")(40_000), np.uint8)
    biased = np.where(np.arange(40_000) % 20 == 0, 0, sample).astype(np.uint8)
    assert not_uniform(sample) < LIMIT < not_uniform(biased)
    half = sample.reshape(2, -1)
    assert bytes_differ(*half) < LIMIT < bytes_differ(sample[:20_000], biased[20_000:])
    assert (
        kolmogorov_smirnov(half[0], half[1]) < 2.5 < kolmogorov_smirnov(half[0], half[1] // 8 * 7)
    )
