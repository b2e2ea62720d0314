"""A model of one's own: trained by one client, kept by it, and trained on later."""

import keras
import numpy as np
import pytest

import fl
from fl.model.vector import ModelWeights
from tests.helpers.small import arrays, compiled, constant, linear, one_weight

IN_ORDER = fl.FineTune(batch_size=8, epochs=2, shuffle=False)


@pytest.fixture(scope="module")
def personalize():
    return fl.build_personalization(linear, fl.FineTune(batch_size=8))


def vector(weights):
    return weights.to_vector()


def normalised_and_frozen():
    """Statistics, and a layer that is not trained."""
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dense(3)]
    layers[0].trainable = False
    return compiled(keras.Sequential([keras.Input((4,)), *layers]))


def test_one_weight_by_hand():
    # the loss is (y - w)²; a step with rate 0.25 goes half way to y
    half = fl.FineTune(lambda: keras.optimizers.SGD(0.25))
    personalize = fl.build_personalization(one_weight, half)
    start = ModelWeights((np.float32([[2.0]]),), ())
    mine, metrics = personalize(start, constant(6.0))
    assert vector(mine) == pytest.approx([4.0])
    assert metrics == {"loss": 16.0, "num_examples": 1, "num_batches": 1}
    assert vector(personalize(mine, constant(6.0), round=1).weights) == pytest.approx([5.0])
    assert vector(start) == [2.0]
    assert personalize.evaluate(mine, constant(1.0, 3))["loss"] == 9.0


@pytest.mark.parametrize("model_fn", [linear, normalised_and_frozen])
def test_it_is_what_fit_makes_of_the_same_weights(model_fn):
    data, alone = arrays(30), model_fn()
    mine = fl.build_personalization(model_fn, IN_ORDER)(alone, data).weights
    alone.fit(*data, batch_size=8, epochs=2, shuffle=False, verbose=0)
    expected = vector(ModelWeights.from_model(alone))
    np.testing.assert_allclose(vector(mine), expected, rtol=1e-5, atol=2e-6)


def test_it_does_what_the_evaluation_of_the_strategy_measures(personalize):
    train, test, start = arrays(20), arrays(10, seed=1), linear()
    evaluate = fl.build_personalization_eval(
        linear, {"sgd": fl.FineTune(batch_size=8)}, aggregator=fl.PlainSum()
    )
    weights = ModelWeights.from_model(start)
    measured = evaluate(weights, [{"train": train, "test": test}])["client_work"]["eval"]
    assert personalize.evaluate(start, test) == measured["baseline"]
    own = personalize.evaluate(personalize(start, train).weights, test)
    assert own == {name: measured["sgd"][name] for name in own}


def test_it_is_kept_in_a_file_of_keras_and_trained_on(personalize, tmp_path):
    data = arrays(20)
    mine = personalize(linear(), data).weights
    path = tmp_path / "mine.keras"
    model = personalize.get_model(mine)
    model.save(path)
    again = keras.saving.load_model(path)
    np.testing.assert_array_equal(vector(ModelWeights.from_model(again)), vector(mine))
    one, other = (personalize(each, data, round=1).weights for each in (mine, again))
    np.testing.assert_array_equal(vector(one), vector(other))
    model.fit(*data, verbose=0)  # the caller's own: what was kept does not change
    np.testing.assert_array_equal(vector(personalize(mine, data, round=1).weights), vector(one))


def test_the_numbers_of_round_and_client_choose_the_shuffling(personalize):
    data, start = arrays(40), linear()

    def trained(**numbers):
        return tuple(vector(personalize(start, data, **numbers).weights))

    assert trained() == trained(round=0, client=0)
    different = {trained(), trained(round=1), trained(client=1), trained(round=1, client=1)}
    assert len(different) == 4


def test_a_copy_leaves_the_federation_as_it_is(plain, clients):
    personalize = fl.build_personalization(linear)
    state = plain.next(plain.initialize(), clients).state
    expected = plain.next(state, clients).state.weights
    mine = [personalize(state.weights, data, client=u) for u, data in enumerate(clients)]
    assert len({tuple(vector(each.weights)) for each in mine}) == len(clients)
    np.testing.assert_array_equal(
        vector(plain.next(state, clients).state.weights), vector(expected)
    )


def test_many_clients_are_trained_by_one_trace(personalize):
    for u, examples in enumerate((5, 17, 64)):
        personalize(linear(), arrays(examples, seed=u), client=u)
    assert personalize._tuner.trainer.trace_count == 1


def test_weights_that_are_not_finite_are_refused():
    wild = fl.FineTune(lambda: keras.optimizers.SGD(1e30), epochs=3)
    personalize = fl.build_personalization(one_weight, wild)
    with pytest.raises(fl.errors.ModelError, match="not finite after training, expected finite"):
        personalize(one_weight(), constant(6.0))


@pytest.mark.parametrize("data", [[], (np.zeros((0, 4)), np.zeros(0))])
def test_data_without_an_example_are_refused(personalize, data):
    for use in (personalize, personalize.evaluate):
        with pytest.raises(fl.errors.NoExamples, match="expected at least one"):
            use(linear(), data)


def test_what_cannot_be_trained_is_refused(personalize):
    data = arrays(8)
    for use in (personalize, personalize.evaluate):
        with pytest.raises(fl.errors.DataError, match=r"expected \(examples, 4\)"):
            use(linear(), (np.ones((5, 9)), np.zeros(5)))
        with pytest.raises(fl.errors.ModelError, match="trainable weights of shapes"):
            use(one_weight(), data)
        with pytest.raises(fl.errors.ModelError, match="weights of type str, expected"):
            use("mine.keras", data)
    with pytest.raises(fl.errors.ModelError, match="trainable weights of shapes"):
        personalize.get_model(one_weight())
    for name, number in (("client", "writer-3"), ("round", -1), ("round", True), ("client", 1.0)):
        with pytest.raises(fl.errors.ModelError, match=f"{name} is .*, expected a whole number"):
            personalize(linear(), data, **{name: number})
    model = linear()
    with pytest.raises(fl.errors.ModelError, match="one model twice"):
        fl.build_personalization(lambda: model)
    with pytest.raises(fl.errors.ModelError, match="epochs is 0"):
        fl.build_personalization(linear, fl.FineTune(epochs=0))
    for size in (0, 2.5, True):
        with pytest.raises(fl.errors.ModelError, match=f"batch_size is {size}, expected a whole"):
            fl.build_personalization(linear, batch_size=size)


@pytest.mark.parametrize("strategy", ["x", "", {}, fl.FineTune])
def test_what_is_no_strategy_is_refused(strategy):
    said = f"a strategy of type {type(strategy).__name__}, expected fl.FineTune"
    with pytest.raises(fl.errors.ModelError, match=said):
        fl.build_personalization(linear, strategy)
    with pytest.raises(fl.errors.ModelError, match=said):
        fl.build_personalization_eval(linear, {"mine": strategy})


def test_whole_numbers_of_numpy_are_those_of_python():
    one, other = (
        fl.build_personalization(
            linear,
            fl.FineTune(batch_size=whole(8), epochs=whole(2)),
            batch_size=whole(4),
            seed=whole(3),
        )
        for whole in (int, np.int64)
    )
    data, start = arrays(20), linear()
    mine = one(start, data, round=1, client=2).weights
    again = other(start, data, round=np.int64(1), client=np.uint8(2)).weights
    np.testing.assert_array_equal(vector(again), vector(mine))
    assert other.evaluate(again, data) == one.evaluate(mine, data)


def test_a_repr_shows_no_number_of_the_client(personalize):
    weights = "ModelWeights(15 numbers in 2 arrays trained, 0 numbers in 0 arrays not)"
    assert repr(personalize(linear(), arrays(8))) == f"Personalized({weights})"
    assert repr(personalize).endswith("batch_size=8, epochs=1)")
