"""Which model goes in, which comes out, and which of its weights a client sends."""

import keras
import numpy as np
import pytest

import fl
from fl.model.layout import Layout
from fl.model.vector import ModelWeights
from tests.helpers.small import Counting, arrays, compiled, constant, linear, one_weight


def vector(state):
    return state.weights.to_vector()


def normalized(freeze=False):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, name="body"),
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.Dense(3, name="head"),
        ]
    )
    model.get_layer("body").trainable = not freeze
    return compiled(model, metrics=[])


def test_the_layout_of_a_model_with_a_frozen_body():
    # head 5·3 + 3 and gamma, beta first; then moving mean and variance; then the frozen body
    layout = Layout.of(normalized(freeze=True))
    assert layout.sizes == (5, 5, 15, 3, 20, 5, 5, 5)
    assert layout.sent == (True, True, True, True, False, False, True, True)
    assert layout.spans == [(0, 28), (53, 63)]
    update = np.arange(1, 39, dtype=np.float64)
    expanded = layout.expand(update, np.full(63, -1, np.float32))
    np.testing.assert_array_equal(expanded[28:53], np.full(25, -1.0))
    np.testing.assert_array_equal(expanded[expanded > 0], update)
    assert Layout.of(normalized(), "local").spans == [(0, 20 + 5 + 5 + 5 + 15 + 3)]


@pytest.mark.parametrize("aggregator", [fl.PlainSum(), fl.SecureSum()], ids=["plain", "secure"])
def test_frozen_weights_stay_and_are_not_sent(aggregator):
    data = [arrays(20, seed=1), arrays(12, seed=2)]
    process = fl.build_weighted_fed_avg(lambda: normalized(True), aggregator=aggregator)
    start = process.initialize()
    state, metrics = process.next(start, data)
    kernel, bias = start.weights.non_trainable[:2]
    np.testing.assert_array_equal(state.weights.non_trainable[0], kernel)
    np.testing.assert_array_equal(state.weights.non_trainable[1], bias)
    assert (state.weights.non_trainable[2] != start.weights.non_trainable[2]).all()
    whole = fl.build_weighted_fed_avg(normalized, aggregator=aggregator)
    more = whole.next(whole.initialize(), data).metrics["aggregator"]["bytes_up"]
    # the body's 20 + 5 words; the length of the message may itself be longer by a byte
    assert more - metrics["aggregator"]["bytes_up"] in (100, 101)


def test_a_frozen_body_trains_as_keras_trains_it():
    x, y = arrays(16)
    process = fl.build_weighted_fed_avg(
        lambda: normalized(True), aggregator=fl.PlainSum(), batch_size=16
    )
    state = process.next(process.initialize(), [(x, y)]).state
    model = normalized(True)
    model.train_on_batch(x, y)
    np.testing.assert_allclose(vector(state), ModelWeights.from_model(model).to_vector(), rtol=1e-6)


def test_of_a_layer_with_lora_only_the_small_factors_are_sent():
    def model_fn():
        model = linear()
        model.layers[0].enable_lora(1)
        return compiled(model)

    # bias 3, a 4·1, b 1·3; the kernel of 12 stays
    assert sum(stop - start for start, stop in Layout.of(model_fn()).spans) == 10
    process = fl.build_weighted_fed_avg(model_fn, aggregator=fl.PlainSum())
    start = process.initialize()
    state = process.next(start, [arrays(9)]).state
    np.testing.assert_array_equal(state.weights.non_trainable[0], start.weights.non_trainable[0])
    assert not np.array_equal(state.weights.trainable[0], start.weights.trainable[0])


def test_statistics_kept_local_are_not_sent():
    data = [arrays(20, seed=1), arrays(12, seed=2)]
    averaged, local = (
        fl.build_weighted_fed_avg(normalized, aggregator=fl.PlainSum(), non_trainable=choice)
        for choice in ("average", "local")
    )
    start = averaged.initialize()
    one, two = averaged.next(start, data), local.next(start, data)
    for seen, expected in zip(
        two.state.weights.trainable, one.state.weights.trainable, strict=True
    ):
        np.testing.assert_array_equal(seen, expected)
    for seen, before in zip(
        two.state.weights.non_trainable, start.weights.non_trainable, strict=True
    ):
        np.testing.assert_array_equal(seen, before)
    up = [result.metrics["aggregator"]["bytes_up"] for result in (one, two)]
    assert up[0] - up[1] == 4 * 10
    with pytest.raises(fl.errors.ModelError, match="expected 'average' or 'local'"):
        fl.build_weighted_fed_avg(normalized, non_trainable="drop")


@pytest.fixture(scope="module")
def trained(plain):
    """The process of the small linear model, and a state after one round."""
    return plain, plain.next(plain.initialize(), [arrays(20, seed=1)]).state


def test_a_state_becomes_an_ordinary_model_that_later_rounds_leave_alone(trained):
    process, state = trained
    model = process.get_model(state)
    np.testing.assert_array_equal(ModelWeights.from_model(model).to_vector(), vector(state))
    process.next(state, [arrays(20, seed=2)])
    np.testing.assert_array_equal(ModelWeights.from_model(model).to_vector(), vector(state))
    x, y = arrays(30, seed=3)
    evaluated = fl.build_fed_eval(linear, aggregator=fl.PlainSum())(state.weights, [(x, y)])
    expected = model.evaluate(x, y, verbose=0, return_dict=True)
    assert evaluated["client_work"]["eval"]["loss"] == pytest.approx(expected["loss"], rel=1e-5)


def test_a_model_fn_that_gives_one_model_again_and_again():
    model = linear()
    process = fl.build_weighted_fed_avg(lambda: model, aggregator=fl.PlainSum())
    state = process.initialize()
    mine = process.get_model(state)
    assert mine is not model
    process.next(state, [arrays(8)])
    np.testing.assert_array_equal(ModelWeights.from_model(mine).to_vector(), vector(state))


def body_and_head(normalize, frozen):
    keras.utils.set_random_seed(3)
    body = [keras.layers.Dense(5, name="body")]
    body += [keras.layers.BatchNormalization(momentum=0.5)] * normalize
    model = keras.Sequential([keras.Input((4,)), *body, keras.layers.Dense(3)])
    model.get_layer("body").trainable = not frozen
    return model


LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def from_keras_model(model):
    return fl.from_keras_model(model, LOSS, ["accuracy"])


def by_hand(model):
    model.compile(optimizer=None, loss=LOSS, metrics=["accuracy"], jit_compile=False)
    return model


def with_adam(model):
    return compiled(model, keras.optimizers.Adam(0.01))


def fed_prox(model_fn, client_optimizer_fn, **options):
    return fl.build_weighted_fed_prox(model_fn, 0.1, client_optimizer_fn, **options)


def fed_sgd(model_fn, client_optimizer_fn, **options):
    return fl.build_fed_sgd(model_fn, **options)


NEW_MODEL, ONE_MODEL = False, True  # whether model_fn gives the same model every time
MODELS_OUT = [
    (from_keras_model, NEW_MODEL, fl.build_weighted_fed_avg, False, False),
    (from_keras_model, NEW_MODEL, fl.build_weighted_fed_avg, True, True),
    (from_keras_model, ONE_MODEL, fl.build_weighted_fed_avg, True, False),
    (by_hand, NEW_MODEL, fl.build_weighted_fed_avg, True, False),
    (by_hand, ONE_MODEL, fed_prox, False, True),
    (by_hand, ONE_MODEL, fed_sgd, False, False),
    (with_adam, NEW_MODEL, fl.build_weighted_fed_avg, False, True),
    (with_adam, ONE_MODEL, fl.build_weighted_fed_avg, False, False),
    (with_adam, ONE_MODEL, fed_prox, True, True),
]


@pytest.mark.parametrize(("how", "one", "algorithm", "normalize", "frozen"), MODELS_OUT)
def test_a_model_that_comes_out_is_one_for_keras_alone(
    tmp_path, how, one, algorithm, normalize, frozen
):
    kept = how(body_and_head(normalize, frozen))

    def model_fn():
        return kept if one else how(body_and_head(normalize, frozen))

    process = algorithm(model_fn, lambda: keras.optimizers.SGD(0.2), aggregator=fl.PlainSum())
    state = process.next(process.initialize(), [arrays(20, seed=1)]).state
    model = process.get_model(state)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")  # a warning would be an error here
    x, y = arrays(30, seed=3)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert loaded.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    assert loaded.get_layer("body").trainable is not frozen
    before = loaded.get_weights()
    loaded.fit(x, y, verbose=0)
    moved = [not np.array_equal(a, b) for a, b in zip(before, loaded.get_weights(), strict=True)]
    assert moved == [not frozen] * 2 + [True] * (len(moved) - 2)
    np.testing.assert_array_equal(ModelWeights.from_model(model).to_vector(), vector(state))


def test_one_model_that_keras_cannot_copy():
    class Unknown(keras.layers.Dense):  # Keras finds no class that is made inside a function
        pass

    model = compiled(keras.Sequential([keras.Input((4,)), Unknown(3)]))
    process = fl.build_weighted_fed_avg(lambda: model, aggregator=fl.PlainSum())
    with pytest.raises(fl.errors.ModelError, match="a new one each time"):
        process.get_model(process.initialize())


def test_training_goes_on_from_a_saved_model(trained, tmp_path):
    process, state = trained
    path = tmp_path / "pretrained.keras"
    process.get_model(state).save(path)
    later = fl.build_weighted_fed_avg(
        lambda: keras.saving.load_model(path), aggregator=fl.PlainSum(), batch_size=8, shuffle=False
    )
    begun = later.initialize()
    np.testing.assert_array_equal(vector(begun), vector(state))
    begun_here = process.initialize(ModelWeights.from_model(keras.saving.load_model(path)))
    np.testing.assert_array_equal(
        vector(later.next(begun, [arrays(20)]).state),
        vector(process.next(begun_here, [arrays(20)]).state),
    )
    with pytest.raises(fl.errors.ModelError, match="trainable weights of shapes"):
        process.initialize(ModelWeights((np.zeros(3, np.float32),), ()))


def test_the_clients_learning_rate_follows_its_schedule_without_another_trace():
    process = fl.build_weighted_fed_avg(
        one_weight, aggregator=fl.PlainSum(), client_learning_rate=lambda round: 0.25 / 2**round
    )
    zero = process.initialize().weights
    state = process.initialize()
    data = [constant(8.0)]
    for expected in (4.0, 2.0, 1.0):  # 2 · rate · 8, from w = 0 each time
        state = process.next(process.set_model_weights(state, zero), data).state
        np.testing.assert_array_equal(vector(state), [expected])
    assert process._trainer.trace_count == 1


def test_a_keras_schedule_is_a_schedule_over_rounds():
    halving = keras.optimizers.schedules.ExponentialDecay(0.25, 1, 0.5)
    process = fl.build_weighted_fed_avg(
        one_weight, aggregator=fl.PlainSum(), client_learning_rate=halving
    )
    state = process.next(process.initialize(), [constant(8.0)]).state
    np.testing.assert_array_equal(vector(state), [4.0])
    # 4 + 2 · 0.125 · (8 - 4)
    np.testing.assert_array_equal(vector(process.next(state, [constant(8.0)]).state), [5.0])


class Told:
    """A plain sum that keeps the contexts of its sessions."""

    def __init__(self):
        self.contexts = set()

    def aggregate(self, contributions, session):
        self.contexts.update(session.contexts)
        return fl.PlainSum().aggregate(contributions, session)


def test_the_learning_rate_is_in_the_context():
    told = Told()
    data = [constant(1.0)]
    for schedule in (lambda _: 0.5, lambda _: 0.25, None):
        process = fl.build_weighted_fed_avg(
            one_weight, aggregator=told, client_learning_rate=schedule
        )
        process.next(process.initialize(), data)
    assert len(told.contexts) == 3


def test_learning_rates_that_cannot_be_are_refused():
    sgd = keras.optimizers.SGD
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    several = keras.optimizers.OptimizerMap(sgd(0.01), {".*kernel": sgd(0.1)})
    for optimizer_fn in (lambda: sgd(decay), lambda: keras.optimizers.MultiOptimizer(several)):
        with pytest.raises(
            fl.errors.ModelError, match=r"no one learning rate .* schedule .* or several"
        ):
            fl.build_weighted_fed_avg(one_weight, optimizer_fn, client_learning_rate=lambda _: 0.1)
    with pytest.raises(
        fl.errors.ModelError, match=r"is 0\.1, expected a function of the round's number"
    ):
        fl.build_weighted_fed_avg(one_weight, client_learning_rate=0.1)
    process = fl.build_weighted_fed_avg(one_weight, client_learning_rate=lambda _: -1)
    with pytest.raises(fl.errors.ModelError, match=r"learning_rate is -1\.0"):
        process.next(process.initialize(), [arrays(3)])


class Following(keras.layers.Layer):
    """Keeps the last mean of its input, and a kernel that nothing changes; frozen."""

    def __init__(self):
        super().__init__(trainable=False)

    def build(self, shape):
        self.kernel = self.add_weight(shape=shape[-1:], initializer="ones")
        self.seen = self.add_weight(shape=shape[-1:], initializer="zeros", trainable=False)

    def call(self, x, training=None):
        if training:
            self.seen.assign(keras.ops.mean(x, 0))
        return x * self.kernel + self.seen


def test_what_a_step_changes_of_a_frozen_layer_is_a_statistic():
    def make():
        keras.utils.set_random_seed(3)
        return compiled(
            keras.Sequential([keras.Input((4,)), Following(), keras.layers.Dense(3)]), metrics=[]
        )

    data = [arrays(4, seed=1), arrays(12, seed=2)]
    mean = sum(x.sum(0) for x, _ in data) / 16
    for non_trainable, expected in (("average", mean), ("local", np.zeros(4))):
        process = fl.build_weighted_fed_avg(
            make, aggregator=fl.PlainSum(), non_trainable=non_trainable
        )
        state, _ = process.next(process.initialize(), data)
        kernel, seen = state.weights.non_trainable
        np.testing.assert_array_equal(kernel, np.ones(4))
        np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-7)
        # the Dense layer's 12 + 3 weights, and the mean where it is averaged; never the kernel
        covered = sum(stop - start for start, stop in process._trainer.layout.spans)
        assert covered == (19 if non_trainable == "average" else 15)


@pytest.mark.parametrize("dropouts", [{}, {0: 1, 1: 1}], ids=["a round", "a round that failed"])
def test_a_model_that_is_lent_keeps_its_weights(dropouts):
    model = keras.Sequential(
        [keras.Input((4,)), Counting(), keras.layers.BatchNormalization(), keras.layers.Dense(3)]
    )
    compiled(model, keras.optimizers.Adam(0.1))
    before = model.get_weights()
    process = fl.build_weighted_fed_avg(
        lambda: model, server_optimizer_fn=lambda: keras.optimizers.Adam(0.1)
    )
    state = process.initialize()
    evaluate = fl.build_fed_eval(lambda: model)
    data = [arrays(20, seed) for seed in range(3)]
    for _ in range(2):
        try:
            state, _ = process.next(state, data, dropouts=dropouts)
        except fl.errors.TooFewClients:
            assert dropouts
        evaluate(state.weights, data)
    assert dropouts or (state.weights.to_vector() != process.initialize().weights.to_vector()).any()
    for seen, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(seen, expected)


def test_a_model_that_runs_eagerly_is_warned_of():
    def make():
        model = compiled(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)], name="slow"))
        model.run_eagerly = True
        return model

    with pytest.warns(UserWarning, match="model 'slow' has run_eagerly=True"):
        fl.build_weighted_fed_avg(make)
    with pytest.warns(UserWarning, match="model 'slow' has run_eagerly=True"):
        fl.build_fed_eval(make)
