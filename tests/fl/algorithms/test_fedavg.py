"""Rounds of federated averaging, in the clear and through the protocol."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import fl
from fl.model.vector import ModelWeights
from tests.helpers.small import arrays, compiled, constant, linear, one_weight


def vector(state):
    return state.weights.to_vector()


@pytest.fixture(scope="module")
def averages():
    """One-weight processes over each aggregator, with one step an example."""
    return {
        aggregator: fl.build_weighted_fed_avg(one_weight, aggregator=aggregator, batch_size=1)
        for aggregator in (fl.PlainSum(), fl.SecureSum(clip=64.0))
    }


@pytest.mark.parametrize("which", [0, 1], ids=["plain", "secure"])
def test_weights_1_7_and_1000_give_the_exactly_weighted_mean(averages, which):
    process = list(averages.values())[which]
    state = process.initialize()
    # every delta is a multiple of the quantisation step, so even the secure mean is exact
    data = [constant(16.0, 1), constant(-8.0, 7), constant(4.0, 1000)]
    state, metrics = process.next(state, data)
    expected = np.float32((16 * 1 - 8 * 7 + 4 * 1000) / 1008)
    np.testing.assert_array_equal(vector(state), [expected])
    assert metrics["client_work"]["train"]["num_examples"] == 1008
    assert metrics["client_work"]["train"]["num_batches"] == 1008
    # the loss is measured before each step: y² at a client's first example, then nothing
    loss = (256 + 64 + 16) / 1008
    assert metrics["client_work"]["train"]["loss"] == pytest.approx(loss, rel=1e-6)


def test_the_unweighted_mean_counts_every_client_once():
    process = fl.build_unweighted_fed_avg(one_weight, batch_size=1, aggregator=fl.PlainSum())
    data = [constant(1.0, 1), constant(1.0, 1), constant(4.0, 100)]
    state, metrics = process.next(process.initialize(), data)
    np.testing.assert_array_equal(vector(state), [2.0])
    assert metrics["client_work"]["train"]["num_examples"] == 102


def test_the_server_optimizer_sees_minus_the_mean_delta():
    process = fl.build_weighted_fed_avg(
        one_weight,
        server_optimizer_fn=lambda: keras.optimizers.SGD(0.5, momentum=0.5),
        aggregator=fl.PlainSum(),
    )
    state = process.initialize()
    data = [constant(1.0), constant(3.0)]
    # mean delta 2, velocity 1, w = 1; then mean delta 1, velocity 0.5 + 0.5, w = 2
    for expected in (1.0, 2.0):
        state = process.next(state, data).state
        np.testing.assert_array_equal(vector(state), [expected])


def test_a_state_is_immutable_and_a_round_can_be_played_again(plain, clients):
    state = plain.initialize()
    before = vector(state).copy()
    first, again = plain.next(state, clients), plain.next(state, clients)
    np.testing.assert_array_equal(vector(state), before)
    np.testing.assert_array_equal(vector(first.state), vector(again.state))
    assert first.metrics["client_work"] == again.metrics["client_work"]
    assert (state.round, first.state.round) == (0, 1)
    with pytest.raises(AttributeError):
        state.round = 5
    with pytest.raises(ValueError, match="read-only"):
        first.state.weights.trainable[0][0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        first.state.optimizer[0][...] = 1


def test_training_metrics_are_those_of_all_examples_together(plain, clients):
    metrics = plain.next(plain.initialize(), clients, dropouts={1: 0}).metrics
    # the first batch of each client is measured before any step, the others are not: compare with
    # one batch a client, where every example is
    once = fl.build_weighted_fed_avg(
        linear, aggregator=fl.PlainSum(), batch_size=100, shuffle=False
    )
    together = [np.concatenate(parts) for parts in zip(*clients, strict=True)]
    measured = once.next(once.initialize(), clients).metrics["client_work"]["train"]
    loss, accuracy = linear().test_on_batch(*together)
    assert measured["loss"] == pytest.approx(loss, rel=1e-5)
    assert measured["accuracy"] == pytest.approx(accuracy, rel=1e-6)
    assert measured["num_examples"] == len(together[0])
    assert metrics["client_work"]["train"]["num_examples"] == len(together[0]) - 13


def test_non_trainable_statistics_are_averaged_past_the_server_optimizer():
    def model_fn():
        return compiled(
            keras.Sequential(
                [
                    keras.Input((4,)),
                    keras.layers.BatchNormalization(momentum=0.0),
                    keras.layers.Dense(3),
                ]
            )
        )

    process = fl.build_unweighted_fed_avg(
        model_fn,
        server_optimizer_fn=lambda: keras.optimizers.SGD(0.0),
        aggregator=fl.PlainSum(),
    )
    data = [arrays(16, seed=1), arrays(32, seed=2)]
    start = process.initialize()
    state = process.next(start, data).state
    moving_mean = np.mean([x.mean(0) for x, _ in data], axis=0)
    np.testing.assert_allclose(state.weights.non_trainable[0], moving_mean, atol=1e-6)
    np.testing.assert_array_equal(state.weights.trainable[0], start.weights.trainable[0])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_secure_and_plain_agree_to_the_error_bound_round_after_round(plain, secure, clients, seed):
    state = plain.initialize()
    rng = np.random.default_rng(seed)
    for _ in range(3):
        dropouts = {int(rng.integers(5)): int(rng.integers(5))}
        in_clear = plain.next(state, clients, dropouts=dropouts)
        protected = secure.next(state, clients, dropouts=dropouts)
        seen = protected.metrics["aggregator"]
        assert seen["clipped"] == 0
        assert seen["survivors"] == in_clear.metrics["aggregator"]["survivors"]
        # the mean's own error, and what rounding the new weights to float32 can add on each side
        rounding = 2 * np.spacing(np.abs(vector(in_clear.state)))
        difference = np.abs(vector(protected.state) - vector(in_clear.state))
        assert (difference <= seen["error_bound"] + rounding).all()
        assert difference.max() > 0  # the quantised sum is not the plain one under another name
        trained = [r.metrics["client_work"]["train"] for r in (in_clear, protected)]
        assert trained[0] == pytest.approx(trained[1], rel=1e-5)
        state = protected.state


@pytest.mark.parametrize("gone", range(5))
@pytest.mark.parametrize("name", ["plain", "secure"])
def test_who_drops_before_round_3_is_not_in_the_sum(request, clients, name, gone):
    process = request.getfixturevalue(name)
    metrics = process.next(process.initialize(), clients, dropouts={1: gone}).metrics
    seen = metrics["aggregator"]
    assert seen["clients"] == [0, 1, 2, 3, 4]
    assert seen["survivors"] == ([0, 2, 3, 4] if gone <= 2 else [0, 1, 2, 3, 4])
    assert seen["dropped"] == [{"client": 1, "round": gone, "reason": "dropout"}]
    assert metrics["client_work"]["train"]["num_examples"] == (67 if gone <= 2 else 80)


@pytest.mark.parametrize("name", ["plain", "secure"])
def test_too_few_clients_is_an_error_and_the_state_goes_on(request, clients, name):
    process = request.getfixturevalue(name)
    state = process.initialize()
    with pytest.raises(fl.errors.TooFewClients):
        process.next(state, clients, dropouts={0: 1, 3: 4})
    assert process.next(state, clients, dropouts={0: 1}).state.round == 1


@pytest.mark.filterwarnings("ignore:. clients count for nothing")
@pytest.mark.parametrize("name", ["plain", "secure"])
def test_a_client_that_is_not_finite_counts_itself_and_nothing_else(request, clients, name):
    process = request.getfixturevalue(name)
    x, y = arrays(50)
    broken = (np.full_like(x, np.nan), y)
    state = process.initialize()
    state_with, metrics = process.next(state, [*clients, broken])
    assert metrics["finalizer"]["update_non_finite"] == 1
    assert metrics["aggregator"]["survivors"] == [0, 1, 2, 3, 4, 5]
    assert metrics["client_work"]["train"]["num_examples"] == 80
    assert np.isfinite(metrics["client_work"]["train"]["loss"])
    without = process.next(state, clients).state
    bound = metrics["aggregator"]["error_bound"]
    np.testing.assert_allclose(vector(state_with), vector(without), rtol=1e-6, atol=2 * bound)


@pytest.mark.filterwarnings("ignore:. clients count for nothing")
@pytest.mark.parametrize("name", ["plain", "secure"])
def test_where_no_client_is_finite_the_weights_stay(request, name):
    process = request.getfixturevalue(name)
    x, y = arrays(8)
    state = process.initialize()
    result = process.next(state, [(np.full_like(x, np.inf), y)] * 3)
    np.testing.assert_array_equal(vector(result.state), vector(state))
    assert result.state.round == 1
    assert result.metrics["finalizer"] == {"update_norm": 0.0, "update_non_finite": 3}
    assert np.isnan(result.metrics["client_work"]["train"]["loss"])


def test_the_metrics_dictionary_has_the_promised_names(secure, clients):
    metrics = secure.next(secure.initialize(), clients).metrics
    assert metrics["round"] == 1
    assert set(metrics) == {"round", "client_work", "aggregator", "finalizer", "seconds"}
    names = {"loss", "accuracy", "num_examples", "num_batches"}
    assert set(metrics["client_work"]["train"]) == names
    assert set(metrics["aggregator"]) == {
        "kind", "clients", "survivors", "dropped", "threshold", "clipped", "clipped_fraction",
        "error_bound", "bytes_up", "bytes_down", "bad_weights", "without_examples", "non_finite",
        "malformed", "graph", "phases",
    }  # fmt: skip
    assert metrics["aggregator"]["kind"] == "secure"
    assert metrics["aggregator"]["threshold"] == 4
    assert metrics["aggregator"]["bytes_up"] > 15 * 4
    assert set(metrics["finalizer"]) == {"update_norm", "update_non_finite"}
    assert set(metrics["seconds"]) == {"train", "protocol"}


def test_weights_can_be_taken_out_changed_and_put_back(plain, clients):
    state = plain.initialize()
    zero = ModelWeights(tuple(0 * a for a in plain.get_model_weights(state).trainable), ())
    state = plain.set_model_weights(state, zero)
    assert not vector(state).any()
    assert plain.next(state, clients).state.round == 1
    with pytest.raises(fl.errors.ModelError, match="trainable weights of shapes"):
        plain.set_model_weights(state, ModelWeights(zero.trainable[:1], ()))


WRONG = {
    "a list": (
        [1],
        fl.errors.AggregationError,
        r"dropouts are \[1\], expected {position of the client",
    ),
    "client index": ({9: 1}, fl.errors.AggregationError, "client 9, expected 0 to 4"),
    "protocol round": ({1: 5}, fl.errors.AggregationError, "round 5, expected 0 to 4"),
}


@pytest.mark.parametrize(("dropouts", "error", "message"), WRONG.values(), ids=WRONG)
def test_dropouts_that_cannot_be_are_refused(plain, clients, dropouts, error, message):
    with pytest.raises(error, match=message):
        plain.next(plain.initialize(), clients, dropouts=dropouts)


def test_an_error_in_the_data_names_the_client(plain, clients):
    with pytest.raises(fl.errors.DataError, match=r"^client 1: "):
        plain.next(plain.initialize(), [clients[0], 7])
    with pytest.raises(fl.errors.AggregationError, match="no clients"):
        plain.next(plain.initialize(), [])
    with pytest.raises(fl.errors.ModelError, match="expected a ServerState"):
        plain.next(None, clients)


@pytest.mark.parametrize(
    ("wrap", "message"),
    [
        (
            lambda data: fl.data.ClientData("ab", lambda client: {"x": data[0], "y": data[0]}),
            r"a ClientData, .*\[cd\.arrays\(c\) for c in cd\.client_ids\]",
        ),
        (lambda data: dict(enumerate(data)), "a dict, expected a list with each"),
        (iter, "a list_iterator, expected a list with each"),
    ],
    ids=["ClientData", "dict", "iterator"],
)
def test_clients_that_are_not_in_a_sequence_are_refused(plain, clients, wrap, message):
    with pytest.raises(fl.errors.DataError, match=message):
        plain.next(plain.initialize(), wrap(clients))


MODEL_FNS = {
    "not a model": (lambda: 3, "int, expected a keras.Model"),
    "not compiled": (
        lambda: keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]),
        "is not compiled",
    ),
    "not built": (lambda: compiled(keras.Sequential([keras.layers.Dense(3)])), "is not built"),
    "no optimizer": (
        lambda: fl.from_keras_model(linear(), loss="mse"),
        "has no optimizer, expected one, or client_optimizer_fn",
    ),
}


BUILT_WRONG = {
    "a model": (
        {"model_fn": linear()},
        fl.errors.ModelError,
        "model_fn is a model, expected a function",
    ),
    "no function": (
        {"model_fn": "mlp"},
        fl.errors.ModelError,
        "model_fn is 'mlp', expected a function",
    ),
    "client optimizer": (
        {"client_optimizer_fn": keras.optimizers.SGD(0.1)},
        fl.errors.ModelError,
        "client_optimizer_fn is an instance of SGD, expected a function",
    ),
    "server optimizer": (
        {"server_optimizer_fn": "sgd"},
        fl.errors.ModelError,
        "server_optimizer_fn is an instance of str, expected a function",
    ),
    "a class": (
        {"aggregator": fl.SecureSum},
        fl.errors.AggregationError,
        r"the class SecureSum, expected an instance, SecureSum\(\)",
    ),
    "no aggregator": (
        {"aggregator": "secure"},
        fl.errors.AggregationError,
        "is 'secure', expected an object",
    ),
}


@pytest.mark.parametrize(("given", "error", "message"), BUILT_WRONG.values(), ids=BUILT_WRONG)
def test_an_instance_in_place_of_a_function_or_the_reverse_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        fl.build_weighted_fed_avg(**{"model_fn": linear, **given})


@pytest.mark.parametrize(("model_fn", "message"), MODEL_FNS.values(), ids=MODEL_FNS)
def test_models_that_cannot_be_trained_are_refused(model_fn, message):
    with pytest.raises(fl.errors.ModelError, match=message):
        fl.build_weighted_fed_avg(model_fn)


def test_from_keras_model_with_an_input_spec_and_a_client_optimizer():
    def model_fn():
        spec = (tf.TensorSpec((None, 1), tf.float32), tf.TensorSpec((None, 1), tf.float32))
        dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        return fl.from_keras_model(
            keras.Sequential([dense]), loss="mse", metrics=["mae"], input_spec=spec
        )

    process = fl.build_weighted_fed_avg(
        model_fn, lambda: keras.optimizers.SGD(0.5), aggregator=fl.PlainSum()
    )
    state, metrics = process.next(process.initialize(), [constant(1.0), constant(3.0)])
    np.testing.assert_array_equal(vector(state), [2.0])
    assert metrics["client_work"]["train"]["mae"] == 2.0


def test_an_input_spec_where_tff_has_it_is_not_taken_for_metrics():
    model = keras.Sequential([keras.layers.Dense(1)])
    spec = (tf.TensorSpec((None, 1), tf.float32), tf.TensorSpec((None, 1), tf.float32))
    with pytest.raises(fl.errors.ModelError, match="input_spec by its name"):
        fl.from_keras_model(model, "mse", spec)


def test_one_optimizer_cannot_be_used_twice():
    used = keras.optimizers.SGD(0.1)
    fl.build_weighted_fed_avg(one_weight, lambda: used)
    with pytest.raises(fl.errors.ModelError, match="already in use"):
        fl.build_weighted_fed_avg(one_weight, lambda: used)


@pytest.mark.parametrize("change", [{"batch_size": 0}, {"epochs": 1.5}, {"seed": -1}])
def test_training_terms_out_of_range_are_refused(change):
    with pytest.raises(fl.errors.ModelError, match=f"{next(iter(change))} is"):
        fl.build_weighted_fed_avg(one_weight, **change)


@pytest.mark.filterwarnings("ignore:. clients count for nothing")
def test_where_no_client_is_finite_the_server_optimizer_takes_no_step():
    process = fl.build_weighted_fed_avg(
        one_weight,
        server_optimizer_fn=lambda: keras.optimizers.SGD(1.0, momentum=0.5),
        aggregator=fl.PlainSum(),
    )
    state = process.next(process.initialize(), [constant(1.0)]).state
    after = process.next(state, [constant(np.nan)]).state
    assert (vector(after), after.round) == (vector(state), 2)  # momentum alone would move it
    for seen, expected in zip(after.optimizer, state.optimizer, strict=True):
        np.testing.assert_array_equal(seen, expected)


class Listening:
    """A plain sum that keeps what it was given."""

    def __init__(self):
        self.heard = []

    def aggregate(self, contributions, session):
        self.heard.append((contributions, session))
        return fl.PlainSum().aggregate(contributions, session)


def test_every_round_has_its_own_context_and_its_own_shuffling():
    listening = Listening()
    process = fl.build_weighted_fed_avg(linear, aggregator=listening, batch_size=8)
    state, data = process.initialize(), [arrays(30, seed=1)] * 2
    later = process.set_model_weights(process.next(state, data).state, state.weights)
    process.next(later, data)  # the same weights and data, one round later
    (first, one), (second, two) = listening.heard
    assert (one.round, two.round) == (0, 1)
    assert len({*one.contexts, *two.contexts}) == 2  # one for all clients of a round
    assert not np.array_equal(first[0].delta, second[0].delta)
    assert not np.array_equal(first[0].delta, first[1].delta)
