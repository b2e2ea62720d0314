"""The masks of the suite aegis128x2 are what the specification gives, whatever package makes them.

Known answers are those of draft-irtf-cfrg-aegis-aead, appendix A.
"""

import sys
from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import pytest

from secagg import LocalProtocolError
from secagg.masks import add_masks, expand
from secagg.masks.aegis import Aegis128X2
from secagg.masks.prg import CHUNK_BYTES, RingVector
from tests.helpers import aegis
from tests.helpers.strategies import DTYPES
from tests.helpers.vectors import load
from tests.secagg import make_vectors

SEED = bytes(range(24))
KEY, NONCE = bytes(range(16)), bytes(range(16, 32))
MESSAGE, DATA = bytes.fromhex("04050607" * 30), bytes.fromhex("0102030401020304")
CIPHERTEXT = (
    "5795544301997f93621b278809d6331b3bfa6f18e90db12c4aa35965b5e98c5f"
    "c6fb4e54bcb6111842c20637252eff747cb3a8f85b37de80919a589fe0f24872"
    "bc926360696739e05520647e390989e1eb5fd42f99678a0276a498f8c454761c"
    "9d6aacb647ad56be62b29c22cd4b5761b38f43d5a5ee062f"
)


@pytest.fixture(params=["specification", "pyaegis"])
def prg(request: pytest.FixtureRequest) -> Iterator[Aegis128X2]:
    """Over the cipher of `tests.helpers.aegis`, and over the package where it is installed."""
    if request.param == "pyaegis":
        pytest.importorskip("pyaegis")
        yield Aegis128X2()
    else:
        with aegis.stand_in():
            yield Aegis128X2()


def keystream(seed: bytes, index: int, count: int) -> bytes:
    """The PRG as the docstring of `secagg.masks.aegis` has it."""
    chunks = []
    for number in range(-(-count // CHUNK_BYTES)):
        nonce = seed[16:] + index.to_bytes(3, "big") + number.to_bytes(5, "big")
        size = min(CHUNK_BYTES, count - number * CHUNK_BYTES)
        chunks.append(aegis.encrypted(seed[:16], nonce, bytes(size)))
    return b"".join(chunks)


# The cipher


def test_an_aes_round_of_the_draft() -> None:
    blocks, key = np.frombuffer(KEY, np.uint8), np.frombuffer(NONCE, np.uint8)
    assert aegis.aes_round(blocks, key).tobytes().hex() == "7a7b4e5638782546a8c0477a3b813f43"


def test_the_initial_state_of_the_draft() -> None:
    state = aegis.initial(KEY, NONCE)
    assert state[0, 0].tobytes().hex() == "a4fc1ad9a72942fb88bd2cabbba6509a"
    assert state[7, 1].tobytes().hex() == "3407279a54ce76d2e2e8a90ec5d108eb"


def test_the_ciphertext_of_the_draft() -> None:
    assert aegis.encrypted(KEY, NONCE, MESSAGE, DATA).hex() == CIPHERTEXT


def test_the_ciphertext_of_the_draft_by_the_package() -> None:
    pyaegis = pytest.importorskip("pyaegis")
    ciphertext, tag = pyaegis.Aegis128X2(tag_size=16).encrypt_detached(KEY, NONCE, MESSAGE, DATA)
    assert ciphertext.hex() == CIPHERTEXT
    assert tag.hex() == "1aebc200804f405cab637f2adebb6d77"


# The masks


@pytest.mark.parametrize("extra", [-1, 0, 1, 65])
def test_each_chunk_is_a_keystream_of_its_own(prg: Aegis128X2, extra: int) -> None:
    """Lengths around one chunk, in the second of two vectors."""
    words = np.zeros(CHUNK_BYTES // 2 + extra, "<u2")
    add_masks([np.zeros(3, "<u4"), words], [(SEED, 1)], prg)
    assert words.tobytes() == keystream(SEED, 1, words.nbytes)


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_vector_has_the_keystream_of_its_index(prg: Aegis128X2, dtype: str) -> None:
    vectors: list[RingVector] = [np.zeros(length, dtype) for length in (0, 1, 40)]
    add_masks(vectors, [(SEED, 1)], prg)
    assert [v.tobytes() for v in vectors] == [
        keystream(SEED, i, v.nbytes) for i, v in enumerate(vectors)
    ]


def test_the_vector_index_has_three_bytes_and_does_not_reach_the_chunk_number(
    prg: Aegis128X2,
) -> None:
    for index in (255, 65536):
        assert expand(SEED, 40, "<u1", index=index, prg=prg).tobytes() == keystream(SEED, index, 40)


def test_a_mask_is_taken_off_by_the_other_sign(prg: Aegis128X2) -> None:
    words = np.arange(100, dtype="<u4")
    add_masks([words], [(SEED, -1), (SEED[::-1], 1)], prg)
    one, two = (expand(seed, 100, "<u4", prg=prg) for seed in (SEED, SEED[::-1]))
    assert words.tolist() == (np.arange(100, dtype="<u4") - one + two).tolist()
    add_masks([words], [(SEED[::-1], -1), (SEED, 1)], prg)
    assert words.tolist() == list(range(100))


def test_it_is_not_the_stream_of_the_other_suite(prg: Aegis128X2) -> None:
    assert expand(SEED, 16, "<u1", prg=prg).tolist() != expand(SEED, 16, "<u1").tolist()


def test_the_package_gives_the_test_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyaegis")
    monkeypatch.setattr(aegis, "stand_in", nullcontext)
    known = load("aegis128x2")
    del known["about"]
    assert make_vectors.aegis128x2() == known


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """None in sys.modules is how Python remembers that there is no such module."""
    monkeypatch.setitem(sys.modules, "pyaegis", None)
    with pytest.raises(LocalProtocolError) as refused:
        Aegis128X2()
    assert str(refused.value) == (
        "suite aegis128x2 without pyaegis, expected: pip install 'secagg[aegis]'"
    )
