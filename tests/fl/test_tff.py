"""For those who come from TensorFlow Federated: its names work, or the error says what does."""

import inspect
from pathlib import Path

import keras
import numpy as np
import pytest

import fl
from fl import tff
from fl.model.vector import ModelWeights
from secagg import Quantizer
from tests.helpers.small import arrays, linear

PAGE = (Path(__file__).parents[2] / "docs" / "from-tff.md").read_text()


@pytest.fixture(scope="module")
def evaluation():
    return fl.build_fed_eval(linear, aggregator=fl.PlainSum())


def other_weights():
    """Weights that are not those of `linear`."""
    return ModelWeights([-2 * array for array in ModelWeights.from_model(linear()).trainable], [])


def test_an_evaluation_is_a_process(evaluation, clients):
    weights = other_weights()
    before = evaluation.initialize()
    state = evaluation.set_model_weights(before, weights)
    after, metrics = evaluation.next(state, clients)
    called = evaluation(weights, clients)
    assert metrics["client_work"] == called["client_work"]
    assert (metrics["round"], state.round, after.round) == (1, 0, 1)
    kept = evaluation.get_model_weights(after)
    np.testing.assert_array_equal(kept.to_vector(), weights.to_vector())
    first = evaluation.next(before, clients).metrics["client_work"]["eval"]
    assert first != metrics["client_work"]["eval"]  # those that model_fn made
    assert evaluation.next(after, clients).metrics["round"] == 2


def test_a_process_of_evaluation_keeps_what_its_aggregator_carries(clients):
    adaptive = fl.aggregators.AdaptiveNorm(fl.PlainSum(), initial=1.0)
    evaluation = fl.build_fed_eval(linear, aggregator=adaptive)
    state = evaluation.next(evaluation.initialize(), clients).state
    assert len(state.aggregator) == 1


def test_an_evaluation_does_not_count_the_rounds_of_a_training(evaluation, plain, clients):
    with pytest.raises(
        fl.errors.ModelError, match="a state of a training, expected one of this evaluation"
    ):
        evaluation.next(plain.initialize(), clients)
    with pytest.raises(fl.errors.ModelError, match="a state of type dict"):
        evaluation.next({}, clients)


def test_weights_may_be_those_of_a_keras_model(evaluation, plain, clients):
    model = linear()
    other_weights().assign_weights_to(model)
    expected = ModelWeights.from_model(model).to_vector()
    for state in (
        plain.initialize(model),
        plain.set_model_weights(plain.initialize(), model),
        evaluation.initialize(model),
        evaluation.set_model_weights(evaluation.initialize(), model),
    ):
        np.testing.assert_array_equal(state.weights.to_vector(), expected)
    assert (
        evaluation(model, clients)["client_work"]
        == evaluation(other_weights(), clients)["client_work"]
    )


@pytest.mark.parametrize("given", [[1.0], {}, "model.keras"])
def test_weights_of_another_kind_are_refused(plain, evaluation, given):
    for take in (plain.initialize, evaluation.initialize):
        with pytest.raises(
            fl.errors.ModelError, match=r"expected fl.ModelWeights.* or a keras.Model"
        ):
            take(given)
    with pytest.raises(fl.errors.ModelError, match="trainable weights of shapes"):
        plain.initialize(keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)]))


BUILDERS = {
    "build_weighted_fed_avg": (linear,),
    "build_unweighted_fed_avg": (linear,),
    "build_weighted_fed_prox": (linear, 0.1),
    "build_unweighted_fed_prox": (linear, 0.1),
    "build_fed_sgd": (linear,),
    "build_fed_eval": (linear,),
    "build_fed_kmeans": (2, (4,)),
    "build_personalization": (linear,),
    "build_personalization_eval": (linear, {"one": fl.FineTune()}),
}


@pytest.mark.parametrize("builder", BUILDERS)
def test_an_argument_of_tff_is_answered_with_what_to_use(builder):
    build, given = getattr(fl, builder), BUILDERS[builder]
    for name, instead in tff.ARGUMENTS.items():
        with pytest.raises(fl.errors.ModelError) as caught:
            build(*given, **{name: None})
        assert str(caught.value).startswith(f"{name}= is of TensorFlow Federated, {builder} has")
        assert str(caught.value).endswith(f"expected {instead}")
        assert name not in inspect.signature(build).parameters
    with pytest.raises(TypeError, match="agregator"):
        build(*given, agregator=None)


def test_every_builder_answers():
    assert set(BUILDERS) == {name for name in fl.__all__ if name.startswith("build_")}


@pytest.mark.parametrize("name", tff.MODEL_ARGUMENTS)
def test_an_argument_of_from_keras_model_is_answered(name):
    with pytest.raises(fl.errors.ModelError) as caught:
        fl.from_keras_model(linear(), loss="mse", **{name: None})
    assert str(caught.value).endswith(f"expected {tff.MODEL_ARGUMENTS[name]}")
    assert name not in inspect.signature(fl.from_keras_model).parameters


@pytest.mark.parametrize("name", tff.ALGORITHMS)
def test_algorithms_are_named_where_they_are(name):
    """`fl.` takes the place of `tff.learning.algorithms.`, and not of `tff.learning.` alone."""
    with pytest.raises(AttributeError) as caught:
        getattr(fl.algorithms, name)
    assert str(caught.value).endswith(f"expected {tff.ALGORITHMS[name]}")
    with pytest.raises(AttributeError, match="expected the same names in fl itself"):
        fl.__getattr__("algorithms")  # before a builder has imported the room


# A room is an attribute once it is imported.
@pytest.mark.parametrize("name", sorted(set(tff.NAMES) - {"algorithms"}))
def test_an_old_name_is_an_attribute_error_that_names_the_new_one(name):
    with pytest.raises(AttributeError) as caught:
        getattr(fl, name)
    assert str(caught.value).endswith(f"expected {tff.NAMES[name]}")


def test_old_attributes_of_states_processes_and_clients(plain, evaluation):
    state = plain.initialize()
    owners = [
        (tff.STATE, (state, evaluation.initialize())),
        (tff.PROCESS, (plain, evaluation)),
        (tff.CLIENT_DATA, (fl.data.ClientData(["a"], lambda client: {}),)),
    ]
    for names, things in owners:
        for thing in things:
            for name, instead in names.items():
                with pytest.raises(AttributeError, match="of TensorFlow Federated") as caught:
                    getattr(thing, name)
                assert str(caught.value).endswith(f"expected {instead}")
            with pytest.raises(AttributeError, match="has no attribute 'nope'"):
                thing.nope  # noqa: B018


def test_what_is_named_in_place_of_an_old_name_is_there():
    state = fl.ServerState(other_weights(), (), 0)
    for new in (*tff.NAMES.values(), *tff.ALGORITHMS.values(), *tff.ARGUMENTS.values()):
        for word in new.replace("(", " ").replace(",", " ").split():
            if word.startswith("fl."):
                found = fl
                for part in word.removeprefix("fl.").split("."):
                    found = getattr(found, part)
    assert not set(tff.NAMES) & set(fl.__all__)
    for new in tff.STATE.values():
        if new.startswith("state."):
            getattr(state, new.partition(",")[0].removeprefix("state."))


def test_the_page_has_every_name():
    tables = (tff.ARGUMENTS, tff.MODEL_ARGUMENTS, tff.NAMES, tff.STATE, tff.PROCESS)
    for names in (*tables, tff.CLIENT_DATA):
        for name in names:
            assert f"`{name}`" in PAGE or f"`{name}=`" in PAGE, name


def test_the_structure_of_what_a_client_stores():
    """TFF's is of the stored features, before anything is made ready to train on."""
    stored = {"label": np.arange(3), "pixels": np.zeros((3, 2), "float32")}
    data = fl.data.ClientData(["a"], lambda client: stored, lambda row: (row["pixels"],))
    with pytest.raises(
        AttributeError, match=r"create_tf_dataset_for_client\(client\).element_spec"
    ):
        data.element_type_structure  # noqa: B018
    assert list(data.create_tf_dataset_for_client("a").element_spec) == ["label", "pixels"]


def test_a_directory_in_place_of_only_digits():
    with pytest.raises(fl.errors.DataError) as caught:
        fl.data.emnist.load_data("/data/emnist")
    assert str(caught.value) == (
        "only_digits='/data/emnist', expected True or False; where the files are is "
        "cache_dir='/data/emnist'"
    )


def test_labels_of_one_and_of_two_axes_in_one_process():
    def after_two_rounds(data):
        process = fl.build_weighted_fed_avg(linear, aggregator=fl.PlainSum(), batch_size=8)
        state, _ = process.next(process.initialize(), data)
        state, metrics = process.next(state, data[::-1])
        return state.weights.to_vector(), metrics["client_work"]

    flat = [arrays(n, seed=n) for n in (20, 13, 9)]
    mixed = [(x, y[:, None] if u == 1 else y) for u, (x, y) in enumerate(flat)]
    for one, other in zip(after_two_rounds(flat), after_two_rounds(mixed), strict=True):
        np.testing.assert_equal(one, other)


@pytest.mark.parametrize(
    ("bits", "clients", "fits"), [(2, 1, True), (2, 2, False), (5, 10, True), (4, 10, False)]
)
def test_how_many_bits_a_sum_takes(bits, clients, fits):
    """2^(bits - 1) > n, and nothing else."""
    assert (2 ** (bits - 1) > clients) == fits
    aggregator = fl.SecureSum(bits=bits, threshold=clients)
    if fits:
        Quantizer(clients, bits, 4.0, max_weight=16384)
    else:
        with pytest.raises(fl.errors.SecAggError, match=r"for 2\^\(bits - 1\) > n is needed"):
            aggregator.check(clients)
