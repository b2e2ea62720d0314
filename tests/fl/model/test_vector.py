from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fl
from fl.model.vector import ModelWeights, local_variables
from tests.helpers.small import Counting, arrays, compiled, linear

shapes = st.lists(st.lists(st.integers(0, 4), max_size=3).map(tuple), max_size=4)


@settings(max_examples=50, deadline=None)
@given(shapes, shapes, st.integers(0, 2**32 - 1))
def test_splitting_the_vector_gives_the_arrays_back_bit_for_bit(trainable, floats, seed):
    rng = np.random.default_rng(seed)
    random = [
        [rng.normal(size=s).astype(np.float32) for s in group] for group in (trainable, floats)
    ]
    weights = ModelWeights(tuple(random[0]), tuple(random[1]))
    vector = weights.to_vector()
    assert vector.dtype == np.float32
    for pieces, group in zip(weights.split(vector), random, strict=True):
        for piece, array in zip(pieces, group, strict=True):
            np.testing.assert_array_equal(piece, array, strict=True)


def test_half_precision_survives_the_round_trip():
    half = np.array([1.5, -65504, 6e-8], np.float16)
    weights = ModelWeights((half,), ())
    (back,), _ = weights.split(weights.to_vector())
    np.testing.assert_array_equal(back.astype(np.float16), half, strict=True)


def test_weights_are_read_only_copies():
    array = np.zeros(3, np.float32)
    weights = ModelWeights((array,), ())
    array[0] = 1
    assert weights.trainable[0][0] == 0
    with pytest.raises(ValueError, match="read-only"):
        weights.trainable[0][0] = 1


def test_a_vector_of_another_length_is_refused():
    weights = ModelWeights((np.zeros(3, np.float32),), ())
    with pytest.raises(fl.errors.ModelError, match="a vector of length 4, expected 3"):
        weights.split(np.zeros(4))


def test_batch_norm_statistics_are_in_the_vector():
    model = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization()])
    weights = ModelWeights.from_model(model)
    assert [len(weights.trainable), len(weights.non_trainable)] == [2, 2]
    assert weights.to_vector().size == 16


def test_integer_weights_stay_with_the_model():
    model = keras.Sequential([keras.Input((4,)), Counting()])
    weights = ModelWeights.from_model(model)
    assert weights.non_trainable == ()
    (calls,) = local_variables(model)
    calls.assign(5)
    weights.assign_weights_to(model)
    assert int(calls.numpy()) == 5


def test_assigned_weights_are_the_models():
    model = linear()
    doubled = ModelWeights(tuple(2 * a for a in ModelWeights.from_model(model).trainable), ())
    doubled.assign_weights_to(model)
    np.testing.assert_array_equal(ModelWeights.from_model(model).to_vector(), doubled.to_vector())


def test_weights_of_another_model_are_refused_and_change_nothing():
    model = linear()
    before = ModelWeights.from_model(model).to_vector()
    other = ModelWeights((np.ones((4, 3), np.float32), np.ones(4, np.float32)), ())
    with pytest.raises(fl.errors.ModelError, match=r"\(4,\)\], expected \[\(4, 3\), \(3,\)\]"):
        other.assign_weights_to(model)
    np.testing.assert_array_equal(ModelWeights.from_model(model).to_vector(), before)


def test_float64_weights_are_refused_by_name():
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(1, dtype="float64", name="wide")]
    )
    with pytest.raises(fl.errors.ModelError, match="wide/kernel' is float64"):
        ModelWeights.from_model(model)


def test_a_model_with_nothing_to_train_is_refused():
    model = keras.Sequential([keras.Input((2,)), keras.layers.ReLU()])
    with pytest.raises(fl.errors.ModelError, match="no trainable weights"):
        ModelWeights.from_model(model)


def two_alike(frozen=None):
    """Two layers of the same shape, one of them frozen perhaps, and a third."""
    keras.utils.set_random_seed(2)
    names = ("a", "b")
    same = [keras.layers.Dense(4, "tanh", bias_initializer="ones", name=name) for name in names]
    model = keras.Sequential(
        [keras.Input((4,)), *same, keras.layers.BatchNormalization(), keras.layers.Dense(3)]
    )
    if frozen:
        model.get_layer(frozen).trainable = False
    return compiled(model)


@pytest.mark.parametrize("then", ["b", None])
def test_gradual_unfreezing_puts_each_weight_into_its_layer(then):
    (x, y) = arrays(20)
    build = partial(fl.build_weighted_fed_avg, aggregator=fl.PlainSum())
    first, second = build(lambda: two_alike("a")), build(lambda: two_alike(then))
    state, _ = first.next(first.initialize(), [(x, y)])
    expected = first.get_model(state).predict(x, verbose=0)
    weights = first.get_model_weights(state)
    own = two_alike(then)
    weights.assign_weights_to(own)
    starts = second.initialize(weights), second.set_model_weights(second.initialize(), weights)
    for model in (own, *(second.get_model(start) for start in starts)):
        np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
    evaluate = fl.build_fed_eval(lambda: two_alike(then), aggregator=fl.PlainSum())
    seen = evaluate(weights, [(x, y)])["client_work"]["eval"]["loss"]
    assert seen == pytest.approx(own.evaluate(x, y, verbose=0)[0], rel=1e-5)
    second.next(starts[0], [(x, y)])


def test_the_state_of_a_process_with_another_layer_frozen_is_refused():
    one, other = (fl.build_weighted_fed_avg(lambda f=f: two_alike(f)) for f in "ab")
    expected = r"trains those of numbers \[2, 3, 4, 5, 8, 9\].*, expected \[0, 1, 4, 5, 8, 9\]"
    with pytest.raises(fl.errors.ModelError, match=expected):
        other.next(one.initialize(), [arrays(4), arrays(4)])
