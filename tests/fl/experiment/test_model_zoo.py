"""The models that have names, and data sets as federated problems."""

import keras
import numpy as np
import pytest

import fl
from fl.data.federated import Division, federated
from fl.data.shakespeare import SYMBOLS
from fl.experiment import model_zoo
from tests.helpers.layouts import write_hdf5, write_mnist, write_npz, writer
from tests.helpers.small import linear

GREY = (np.zeros((2, 28, 28), np.float32), np.array([0, 9]))
COLOUR = (np.zeros((2, 32, 32, 3), np.float32), np.array([0, 9]))
ROWS = (np.zeros((2, 64), np.float32), np.array([0, 9]))
TEXT = (np.zeros((2, 80), np.int32), np.zeros((2, 80), np.int32), np.ones((2, 80), np.float32))


@pytest.mark.parametrize(
    ("name", "example", "parameters"),
    [
        ("softmax", GREY, 784 * 10 + 10),
        ("mlp", GREY, 784 * 128 + 128 + 128 * 10 + 10),
        ("cnn", GREY, 1663370),  # as in McMahan et al. 2017
        ("cnn", COLOUR, 75 * 32 + 32 + 800 * 64 + 64 + 64 * 64 * 512 + 512 + 512 * 10 + 10),
        ("cnn", ROWS, 25 * 32 + 32 + 800 * 64 + 64 + 2 * 2 * 64 * 512 + 512 + 512 * 10 + 10),
        ("lstm", TEXT, 90 * 8 + 4 * (8 * 256 + 256 * 256 + 256) + 256 * 90 + 90),
    ],
)
def test_models_have_their_published_sizes_and_follow_their_seed(name, example, parameters):
    classes = SYMBOLS if name == "lstm" else 10
    one, same, other = (model_zoo.model_fn(name, example, classes, seed)() for seed in (1, 1, 2))
    assert one.count_params() == parameters
    vectors = [fl.ModelWeights.from_model(m).to_vector() for m in (one, same, other)]
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])
    assert one(example[0]).shape[-1] == classes


def test_a_picture_that_is_not_square_is_refused():
    with pytest.raises(fl.errors.ModelError, match=r"x of shape \(30,\), expected square pictures"):
        model_zoo.model_fn("cnn", (np.zeros((1, 30), np.float32), np.zeros(1)), 10, 0)()


def uncompiled():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])


SAVED = {
    "compiled": linear,
    "uncompiled": uncompiled,
    "without optimizer": lambda: fl.from_keras_model(
        uncompiled(), keras.losses.SparseCategoricalCrossentropy()
    ),
}


@pytest.mark.parametrize("make", SAVED.values(), ids=SAVED)
def test_a_model_from_a_file_has_its_weights_and_a_loss(tmp_path, make):
    model = make()
    model.save(tmp_path / "model.keras")
    loaded = model_zoo.model_fn(str(tmp_path / "model.keras"), ROWS, 10, 0)()
    for one, other in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert loaded.compiled
    probabilities = make is not linear
    assert getattr(loaded.loss, "from_logits", not probabilities) is not probabilities


def test_a_file_compiled_without_an_optimizer_keeps_its_loss_and_metrics(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    focal = keras.losses.BinaryFocalCrossentropy(gamma=3.0, from_logits=True)
    fl.from_keras_model(model, focal, [keras.metrics.MeanAbsoluteError()])
    model.save(tmp_path / "model.keras")
    loaded = model_zoo.from_file(tmp_path / "model.keras")
    x, y = np.ones((6, 4), np.float32), np.arange(12).reshape(6, 2) % 2
    assert loaded.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    assert loaded.loss.get_config() == focal.get_config()
    loaded.fit(x, y, verbose=0)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"PK")
    with pytest.raises(fl.errors.ModelError, match=r"model\.keras is not a model"):
        model_zoo.from_file(tmp_path / "model.keras")
    with pytest.raises(
        fl.errors.ModelError, match=r"a directory, expected a \.keras file, such as .*/m"
    ):
        model_zoo.from_file(tmp_path)  # the directory of a run


def test_a_model_of_pictures_is_refused_for_text():
    with pytest.raises(fl.errors.ModelError, match="'mlp' does not take x of int32, expected lstm"):
        model_zoo.model_fn("mlp", TEXT, SYMBOLS, 0)


@pytest.fixture
def digits_by_hand(tmp_path):
    """Twelve digits of three writers, and four more to test."""
    x = np.zeros((12, 28, 28), np.uint8)
    y = np.arange(12, dtype=np.uint8) % 3
    write_mnist(tmp_path, (x, y), (x[:4], y[:4]))
    write_npz(tmp_path / "mnist_writer_ids.npz", writer_train=np.repeat([5, 7, 9], [2, 4, 6]))
    return tmp_path


@pytest.mark.parametrize(
    ("rule", "sizes"),
    [
        ("iid", [3, 3, 3, 3]),
        ("sequential", [3, 3, 3, 3]),
        ("shards", [3, 3, 3, 3]),
        ("dirichlet", None),
        (None, [3, 3, 3, 3]),
    ],
)
def test_a_set_in_one_place_is_divided_by_the_rule(digits_by_hand, rule, sizes):
    data = federated("mnist", digits_by_hand, Division(rule, clients=4, per_client=1))
    counts = [data.train.count(c) for c in data.train.client_ids]
    assert sum(counts) == 12
    assert sizes is None or counts == sizes
    assert [len(data.test.arrays(c)[1]) for c in data.test.client_ids] == [1, 1, 1, 1]


def test_by_writer_each_writer_is_a_client(digits_by_hand):
    data = federated("mnist", digits_by_hand, Division("writer"))
    counts = {c: data.train.count(c) for c in data.train.client_ids}
    assert counts == {"writer-5": 2, "writer-7": 4, "writer-9": 6}
    some = federated("mnist", digits_by_hand, Division("writer", clients=2, seed=1)).train
    assert len(some) == 2
    assert set(some.client_ids) < set(counts)


def test_a_set_with_clients_keeps_them(tmp_path):
    for part, names in (("train", "abc"), ("test", "bc")):
        path = tmp_path / f"fed_emnist_digitsonly_{part}.h5"
        write_hdf5(path, {name: writer(ord(name) - 95) for name in names})
    data = federated("emnist", tmp_path, Division())
    assert (data.train.client_ids, data.test.client_ids) == (["a", "b", "c"], ["b", "c"])
    assert [data.train.count(c) for c in "abc"] == [2, 3, 4]
    for wrong, message in (
        (Division("iid"), "partition 'iid' of emnist, which has clients of its own"),
        (Division(clients=4), "4 clients, expected 1 to the 3 that there are"),
    ):
        with pytest.raises(fl.errors.DataError, match=message):
            federated("emnist", tmp_path, wrong)
