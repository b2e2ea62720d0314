"""Some coordinates of a rotation stand for all of them, on average."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.errors import PrivacyError
from fl.privacy import Kept, Rotation
from fl.privacy.kept import projection

PARTS = st.floats(1e-3, 1.0)


@given(st.integers(1, 200), PARTS, st.binary(max_size=3))
def test_it_is_linear_never_longer_than_all_of_them_and_the_same_for_everybody(size, keep, seed):
    mapped, again = (projection(size, keep, seed) for _ in range(2))
    x, y = np.random.default_rng(size).normal(size=(2, size))
    assert mapped.forward(x).shape == (mapped.dimension,)
    assert mapped.size == size
    np.testing.assert_array_equal(mapped.forward(x), again.forward(x))
    together = mapped.forward(x) + mapped.forward(y)
    np.testing.assert_allclose(mapped.forward(x + y), together, atol=1e-9)
    assert np.linalg.norm(mapped.forward(x)) <= np.linalg.norm(x) * (1 + 1e-9)
    if keep == 1:
        np.testing.assert_allclose(mapped.inverse(mapped.forward(x)), x, atol=1e-9)


@given(st.integers(2, 200), PARTS, st.binary(max_size=3))
def test_what_comes_back_gives_the_same_coordinates_by_the_part_more(size, keep, seed):
    mapped = projection(size, keep, seed)
    y = np.random.default_rng(size).normal(size=mapped.dimension)
    back = mapped.forward(mapped.inverse(y))
    np.testing.assert_allclose(back, y * size / mapped.dimension, atol=1e-9)


@pytest.mark.parametrize("kept", [10, 32, 60])
def test_on_average_it_is_the_vector_with_the_error_that_is_said(kept):
    size, draws = 64, 400
    x = np.random.default_rng(0).normal(size=size)
    drawn = []
    for number in range(draws):
        mapped = Kept(Rotation(size, number.to_bytes(2, "big")), kept)
        drawn.append(mapped.inverse(mapped.forward(x)))
    errors, expected = np.array(drawn) - x, (size / kept - 1) * float(x @ x)
    assert np.square(errors).sum(axis=1).mean() == pytest.approx(expected, rel=0.15)
    assert np.square(errors.mean(axis=0)).sum() < 3 * expected / draws


def test_few_vectors_are_longer_than_the_reach():
    x, longer = np.eye(256)[3] * 2.0, 0
    for number in range(300):
        mapped = Kept(Rotation(256, number.to_bytes(2, "big")), 64)
        longer += float(np.linalg.norm(mapped.forward(x))) > mapped.reach(2.0)
    assert mapped.reach(2.0) == pytest.approx(2.0 * 0.5 * (1 + 3 / 8))
    assert longer <= 3
    assert Kept(Rotation(4, b""), 4).reach(2.0) == 2.0


def test_refusals():
    for dimension in (0, 11):
        with pytest.raises(PrivacyError, match=rf"{dimension} coordinates kept, expected 1\.\.10"):
            Kept(Rotation(10, b""), dimension)
    for keep in (0.0, 1.5, float("nan")):
        with pytest.raises(PrivacyError, match=f"keep is {keep}, expected above 0"):
            projection(10, keep, b"")
    kept = Kept(Rotation(10, b""), 3)
    with pytest.raises(PrivacyError, match=r"a vector of shape \(10,\), expected \(3,\)"):
        kept.inverse(np.zeros(10))
    with pytest.raises(PrivacyError, match=r"a vector of shape \(3,\), expected \(10,\)"):
        kept.forward(np.zeros(3))
