"""Clients begin with a fresh optimizer in every round, and end a pass as Keras's `fit` ends."""

import keras
import numpy as np
import pytest

import fl
from fl.client.examples import read_examples
from fl.client.local_training import LocalTrainer
from fl.model.optimizers import in_pass
from fl.model.vector import ModelWeights
from tests.helpers.small import arrays, compiled, constant, linear, one_weight, plan_for

X, Y = arrays(32, seed=3)


def momentum():
    model = linear()
    return compiled(model, keras.optimizers.SGD(0.05, momentum=0.9))


def vectors(model_fn, optimizer_fn=None, rounds=2, build=fl.build_weighted_fed_avg):
    process = build(
        model_fn, optimizer_fn, aggregator=fl.PlainSum(), batch_size=8, epochs=2, shuffle=False
    )
    state = process.initialize()
    for _ in range(rounds):
        state = process.next(state, [(X, Y)]).state
        yield state.weights.to_vector()


def test_a_model_from_a_file_has_a_fresh_optimizer(tmp_path):
    trained = momentum()
    trained.fit(X, Y, verbose=0)
    trained.save(tmp_path / "model.keras")

    def loaded():
        return keras.models.load_model(tmp_path / "model.keras")

    def by_hand():
        return keras.optimizers.SGD(0.05, momentum=0.9)

    assert loaded().optimizer.iterations.numpy() == 1
    np.testing.assert_array_equal(list(vectors(loaded)), list(vectors(loaded, by_hand)))


def test_a_model_that_comes_out_has_a_fresh_optimizer_too(tmp_path):
    trained = momentum()
    trained.fit(X, Y, verbose=0)
    trained.save(tmp_path / "model.keras")
    process = fl.build_weighted_fed_avg(lambda: keras.models.load_model(tmp_path / "model.keras"))
    model = process.get_model(process.initialize())
    assert model.optimizer.momentum == 0.9
    assert not any(variable.numpy().any() for variable in model.optimizer.momentums)
    assert model.optimizer.iterations.numpy() == 0


def test_one_model_for_two_processes_has_a_fresh_optimizer_in_each():
    model = momentum()
    first = list(vectors(lambda: model))
    state = ModelWeights.from_model(momentum())
    for build in (fl.build_weighted_fed_prox, fl.build_fed_sgd):  # which train otherwise
        args = {fl.build_fed_sgd: (), fl.build_weighted_fed_prox: (0.5,)}[build]
        process = build(lambda: model, *args, aggregator=fl.PlainSum())
        process.next(process.initialize(), [(X, Y)])
    state.assign_weights_to(model)
    np.testing.assert_array_equal(first, list(vectors(lambda: model)))
    assert isinstance(model.optimizer, keras.optimizers.SGD)


def test_processes_of_one_model_train_each_with_its_own_optimizer():
    model = linear()
    trainers = [LocalTrainer(model, keras.optimizers.SGD(rate)) for rate in (0.1, 0.2)]
    data = read_examples((X, Y))
    told = [plan_for(trainer, epochs=1, batch_size=32) for trainer in trainers]
    deltas = [t.train(p, 0, data).delta for t, p in zip(trainers, told, strict=True)]
    np.testing.assert_allclose(2 * deltas[0], deltas[1], atol=1e-6)


def test_what_is_left_out_of_weight_decay_stays_left_out():
    def decaying():
        model = linear()
        model.compile(keras.optimizers.AdamW(0.01, weight_decay=0.5), loss="mse")
        model.optimizer.exclude_from_weight_decay(var_names=["bias"])
        return model

    model = decaying()
    one, other = (
        fl.model.optimizers.fresh(fl.model.optimizers.fresh(optimizer))
        for optimizer in (model.optimizer, decaying().optimizer)
    )
    one.build(model.trainable_variables)
    fresh = fl.model.optimizers.fresh(one)
    assert fresh is not one
    assert [fresh._use_weight_decay(v) for v in model.trainable_variables] == [True, False]
    assert other._use_weight_decay(model.trainable_variables[0])


class Boosted(keras.optimizers.SGD):
    """Says nothing of its boost in its configuration."""

    def __init__(self, learning_rate=0.1, boost=1.0, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.boost = boost


def test_a_used_optimizer_that_cannot_be_made_anew_is_refused():
    model = linear()
    compiled(model, Boosted(0.1, boost=2.0))
    build = fl.build_weighted_fed_avg
    build(lambda: model)
    with pytest.raises(fl.errors.ModelError, match=r"used before .* its configuration lacks boost"):
        build(lambda: model)
    build(lambda: model, lambda: Boosted(0.1, boost=2.0))


AVERAGED = {
    "sgd": lambda: keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.8),
    "adam, overwritten": lambda: keras.optimizers.Adam(
        0.02, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=3
    ),
    "accumulated": lambda: keras.optimizers.SGD(
        0.1, use_ema=True, ema_momentum=0.8, gradient_accumulation_steps=3
    ),
}


@pytest.mark.parametrize("optimizer_fn", AVERAGED.values(), ids=AVERAGED)
def test_moving_averages_take_the_place_of_the_weights_as_in_fit(optimizer_fn):
    central = compiled(linear(), optimizer_fn())
    central.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    (trained,) = vectors(linear, optimizer_fn, rounds=1)
    np.testing.assert_allclose(trained, ModelWeights.from_model(central).to_vector(), atol=1e-6)
    raw = optimizer_fn()
    raw.use_ema = False
    assert not np.allclose(trained, next(vectors(linear, lambda: raw)), atol=1e-4)


def by_weight():
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(
            keras.optimizers.Adam(0.02, use_ema=True, ema_momentum=0.7),
            {".*bias": keras.optimizers.SGD(0.3, gradient_accumulation_steps=3)},
        )
    )


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="an older Keras")
def test_an_optimizer_for_each_weight_trains_as_in_fit():
    central = compiled(linear(), by_weight())
    central.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    process = fl.build_weighted_fed_avg(
        linear, by_weight, aggregator=fl.PlainSum(), batch_size=8, epochs=2, shuffle=False
    )
    state, metrics = process.next(process.initialize(), [(X, Y)])
    trained = ModelWeights.from_model(central).to_vector()
    np.testing.assert_allclose(state.weights.to_vector(), trained, atol=1e-6)
    assert metrics["client_work"]["train"]["num_skipped"] == 8 % 3


def test_moving_averages_under_a_proximal_term():
    def prox(model_fn, optimizer_fn, **options):
        return fl.build_weighted_fed_prox(model_fn, 0.0, optimizer_fn, **options)

    averaged, proximal = (
        list(vectors(linear, AVERAGED["sgd"], build=build))
        for build in (fl.build_weighted_fed_avg, prox)
    )
    np.testing.assert_allclose(averaged, proximal, atol=1e-6)


def test_batches_left_waiting_in_an_accumulation_are_counted():
    def accumulating():
        return keras.optimizers.SGD(0.5, gradient_accumulation_steps=4)

    process = fl.build_weighted_fed_avg(
        one_weight, accumulating, aggregator=fl.SecureSum(), batch_size=1
    )
    state = process.initialize()
    state, metrics = process.next(state, [constant(4.0, 2), constant(4.0, 3)])
    assert not state.weights.to_vector().any()
    train = metrics["client_work"]["train"]
    assert (train["num_batches"], train["num_skipped"]) == (5, 5)
    state, metrics = process.next(state, [constant(4.0, 4), constant(4.0, 6)])
    train = metrics["client_work"]["train"]
    assert (train["num_batches"], train["num_skipped"]) == (10, 2)
    np.testing.assert_allclose(state.weights.to_vector(), [4.0])


def test_nothing_is_said_of_skipped_batches_where_none_can_be(plain):
    metrics = plain.next(plain.initialize(), [(X, Y)]).metrics
    assert "num_skipped" not in metrics["client_work"]["train"]


class Anchored(keras.optimizers.SGD):
    """Its state begins with the weights, as that of Keras's schedule-free AdamW does."""

    def build(self, variables):
        super().build(variables)
        self.anchors = self.add_optimizer_variables(variables, "anchor")
        for anchor, variable in zip(self.anchors, variables, strict=True):
            anchor.assign(variable)


class Unrepeatable(Anchored):
    """It cannot be made anew from its configuration."""

    def get_config(self):
        raise NotImplementedError


@pytest.mark.parametrize("kind", [Anchored, Unrepeatable])
def test_an_optimizer_that_begins_with_the_weights_is_refused(kind):
    with pytest.raises(
        fl.errors.ModelError, match=rf"{kind.__name__} begins with a copy of the weights, '.*anchor"
    ):
        in_pass(kind(0.1), linear())


def test_it_is_refused_on_weights_that_are_zero_which_stay_so():
    model = one_weight()
    with pytest.raises(fl.errors.ModelError, match="AdamW begins with a copy of the weights"):
        fl.build_weighted_fed_avg(lambda: model, lambda: keras.optimizers.ScheduleFreeAdamW(0.1))
    assert model.get_weights() == [0.0]


def test_a_state_that_is_by_chance_as_the_weights_are_is_taken():
    normalising = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization()])
    in_pass(keras.optimizers.Adagrad(0.1, initial_accumulator_value=1.0), normalising)


def test_a_schedule_of_the_clients_begins_anew_in_every_round():
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    process = fl.build_weighted_fed_avg(
        linear, lambda: keras.optimizers.SGD(decay), aggregator=fl.PlainSum(), batch_size=8
    )
    start = process.initialize()
    one = process.next(start, [(X, Y)]).state
    again = process.next(process.set_model_weights(start, start.weights), [(X, Y)]).state
    np.testing.assert_array_equal(one.weights.to_vector(), again.weights.to_vector())


def every_optimizer():
    apart = ("Optimizer", "MultiOptimizer", "LossScaleOptimizer", "ScheduleFreeAdamW")
    kinds = (getattr(keras.optimizers, name) for name in dir(keras.optimizers) if name not in apart)
    return [k for k in kinds if isinstance(k, type) and issubclass(k, keras.optimizers.Optimizer)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", every_optimizer())
def test_every_optimizer_of_keras_trains_a_client_as_in_fit(kind):
    central = compiled(linear(), kind())
    central.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    trained = ModelWeights.from_model(central).to_vector()
    process = fl.build_weighted_fed_avg(
        linear, kind, aggregator=fl.PlainSum(), batch_size=8, epochs=2, shuffle=False
    )
    start = process.initialize()
    for _ in range(2):  # from the same weights: nothing of the first round is in the second
        state = process.next(start, [(X, Y)]).state
        np.testing.assert_allclose(state.weights.to_vector(), trained, atol=1e-6)
