"""Words come from AES, numbers of them have no bias, and no stream is used twice."""

import pickle

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from fl.errors import PrivacyError
from fl.privacy import RandomBits


def test_the_words_are_the_keystream_of_aes():
    key = bytes(range(32))
    encryptor = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()
    expected = np.frombuffer(encryptor.update(bytes(80)), "<u8")
    source = RandomBits(key)
    assert np.concatenate([source.words(3), source.words(0), source.words(7)]).tolist() == (
        expected.tolist()
    )


def test_system_bits_differ_and_seeded_ones_do_not():
    drawn = {int(RandomBits.from_system().words(1)[0]) for _ in range(8)}
    assert len(drawn) == 8
    once, again, other = (RandomBits.seeded(seed).words(4).tolist() for seed in (b"a", b"a", b"b"))
    assert once == again != other


@given(st.integers(1, 2**62), st.integers(0, 50), st.binary(max_size=4))
def test_numbers_are_below_the_bound(bound, count, seed):
    drawn = RandomBits.seeded(seed).below(bound, count)
    assert drawn.shape == (count,)
    assert ((drawn >= 0) & (drawn < bound)).all()


@pytest.mark.parametrize("bound", [1, 2, 3, 5, 8, 100])
def test_all_numbers_are_as_likely(bound):
    counts = np.bincount(RandomBits.seeded(b"x").below(bound, 100_000), minlength=bound)
    expected = 100_000 / bound
    assert len(counts) == bound
    assert ((counts - expected) ** 2 / expected).sum() < bound + 5 * (2 * bound) ** 0.5


def test_signs_and_uniform_numbers():
    source = RandomBits.seeded(b"y")
    signs, uniform = source.signs(100_001), source.uniform(100_000)
    assert signs.shape == (100_001,)
    assert set(signs) == {-1.0, 1.0}
    assert abs(signs.mean()) < 5 / 100_000**0.5
    assert ((uniform >= 0) & (uniform < 1)).all()
    assert abs(uniform.mean() - 0.5) < 5 * (1 / 12 / 100_000) ** 0.5


@pytest.mark.parametrize("bound", [0, -1, 2**62 + 1])
def test_a_bound_out_of_range(bound):
    with pytest.raises(PrivacyError, match=r"a bound of -?\d+, expected 1..2\^62"):
        RandomBits.seeded(b"").below(bound, 1)


def test_a_short_key():
    with pytest.raises(PrivacyError, match="a key of 16 bytes, expected 32"):
        RandomBits(bytes(16))


def test_a_source_is_not_copied():
    with pytest.raises(PrivacyError, match="cannot be copied"):
        pickle.dumps(RandomBits.from_system())


def test_a_source_of_another_process_does_not_draw(monkeypatch):
    source = RandomBits.from_system()
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pytest.raises(PrivacyError, match="random bits of another process"):
        source.words(1)


def test_a_repr_shows_no_key():
    assert repr(RandomBits(bytes(32))) == "RandomBits()"
