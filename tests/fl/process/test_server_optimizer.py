"""Keras optimizers on the server: each sees minus the mean delta, with numbers by hand."""

import math
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

import fl
from fl.experiment import registry
from fl.process.server_optimizer import ServerOptimizer
from tests.helpers.small import arrays, compiled, constant, one_weight

# A client moves w to its y, so the mean delta is the mean of y minus w. With y = 1 and 3
# it is 2 in the first round, from w = 0; the second has y = 3 alone.

OPTIMIZERS = {
    # velocity 1·2, w = 2; then Δ = 1: velocity 0.5·2 + 1
    "FedAvgM": (lambda: keras.optimizers.SGD(1.0, momentum=0.5), 2.0, 4.0),
    # bias correction makes m̂ = 2 and v̂ = 4: w = 1; then Δ = 2 again: m̂ = 2, v̂ = 4
    "FedAdam": (lambda: keras.optimizers.Adam(1.0, 0.5, 0.5, epsilon=1e-9), 1.0, 2.0),
    # v = 4: w = 2/2; then Δ = 2: v = 8, w = 1 + 2/√8
    "FedAdagrad": (
        lambda: keras.optimizers.Adagrad(1.0, initial_accumulator_value=0.0, epsilon=1e-12),
        1.0,
        1 + 1 / math.sqrt(2),
    ),
    # m = 1, v = 0.25·4: w = 1/1; then Δ = 2: m = 1.5, v = 1 + 0.25·4: w = 1 + 1.5/√2
    "FedYogi": (
        lambda: fl.FedYogi(1.0, 0.5, 0.75, epsilon=0.0, initial_accumulator_value=0.0),
        1.0,
        1 + 1.5 / math.sqrt(2),
    ),
}


@pytest.mark.parametrize(("make", "first", "second"), OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("aggregator", [fl.PlainSum(), fl.SecureSum()], ids=["plain", "secure"])
def test_two_rounds_by_hand(make, first, second, aggregator):
    process = fl.build_weighted_fed_avg(one_weight, server_optimizer_fn=make, aggregator=aggregator)
    state = process.next(process.initialize(), [constant(1.0), constant(3.0)]).state
    assert state.weights.to_vector() == pytest.approx([first], rel=1e-6)
    state = process.next(state, [constant(3.0), constant(3.0)]).state
    assert state.weights.to_vector() == pytest.approx([second], rel=1e-6)


def test_the_second_moment_of_yogi_goes_down_by_bounded_steps():
    # Δ = 2: m = 1, v = 1, w = 1. y = w gives Δ = 0, so v stays, where Adam's would shrink.
    # y = w + 0.5: sign(1 - 0.25) = 1, so v = 1 - 0.25·0.25
    process = fl.build_weighted_fed_avg(
        one_weight,
        server_optimizer_fn=lambda: fl.FedYogi(1.0, 0.5, 0.75, 0.0, 0.0),
        aggregator=fl.PlainSum(),
    )
    state = process.initialize()
    seen = []
    for delta in (2.0, 0.0, 0.5):
        at = float(state.weights.to_vector()[0])
        state = process.next(state, [constant(at + delta)]).state
        seen.append(float(state.optimizer[-1][0, 0]))
    np.testing.assert_allclose(seen, [1.0, 1.0, 1 - 0.0625], rtol=1e-6)


def test_yogi_is_a_keras_optimizer_that_is_saved_and_loaded():
    yogi = fl.FedYogi(0.5, 0.8, 0.9, 0.1, global_clipnorm=1.0)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(yogi))
    assert again.get_config() == yogi.get_config()
    model = one_weight()
    model.compile(fl.FedYogi(0.5), loss="mse")
    x, y = constant(1.0, 8)
    losses = model.fit(x, y, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def named():
    """Two layers with names, constraints and weights of one and two axes."""
    keras.utils.set_random_seed(2)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, "tanh", name="hidden", kernel_constraint="non_neg"),
            layers.Dense(4, "tanh", name="embedding_like"),
            layers.Dense(3, name="logits", kernel_constraint="unit_norm"),
        ]
    )
    return compiled(model, metrics=())


def by_path(variable):
    rate = 0.3 if "logits" in variable.path else 0.05
    return keras.optimizers.SGD(rate)


def without_bias(optimizer):
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


SINGLE = [
    name
    for name in dir(keras.optimizers)
    if isinstance(getattr(keras.optimizers, name), type)
    and issubclass(getattr(keras.optimizers, name), keras.optimizers.Optimizer)
    and name not in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer")
]
ON_THE_SERVER = {
    **{name: partial(getattr(keras.optimizers, name), 0.05) for name in SINGLE},
    **{
        f"{name}, decay but of biases": partial(
            lambda name: without_bias(getattr(keras.optimizers, name)(0.05, weight_decay=0.5)), name
        )
        for name in SINGLE
    },
    "Muon, by layer": lambda: keras.optimizers.Muon(0.05, exclude_layers=["logits"]),
    "MultiOptimizer, by path": lambda: keras.optimizers.MultiOptimizer(by_path),
    "schedule": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
    ),
    "accumulation": lambda: keras.optimizers.Adam(0.05, gradient_accumulation_steps=2),
    "clipnorm": lambda: keras.optimizers.SGD(1.0, clipnorm=0.1),
    "global_clipnorm": lambda: keras.optimizers.SGD(1.0, global_clipnorm=0.1),
    "average, every 2": lambda: keras.optimizers.SGD(
        0.5, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2
    ),
}


@pytest.mark.parametrize("make", ON_THE_SERVER.values(), ids=ON_THE_SERVER)
def test_every_keras_optimizer_does_on_the_server_what_it_does_to_a_model(make):
    server, model, optimizer = ServerOptimizer(make, named()), named(), make()
    before = fl.ModelWeights.from_model(model)
    optimizer.build(model.trainable_variables)
    state = server.initialize(before)
    rng = np.random.default_rng(0)
    for _ in range(4):
        gradient = rng.normal(size=before.to_vector().size).astype(np.float32)
        state = server.apply(state, -gradient.astype(np.float64))
        optimizer.apply(before.split(gradient)[0], model.trainable_variables)
        expected = fl.ModelWeights.from_model(model).to_vector()
        np.testing.assert_array_equal(state.weights.to_vector(), expected)
    assert np.abs(expected - before.to_vector()).max() > 1e-3


@pytest.mark.parametrize("aggregator", [fl.PlainSum(), fl.SecureSum()], ids=["plain", "secure"])
def test_a_kernel_that_must_not_be_negative_is_none_on_the_server(aggregator):
    def non_negative():
        model = one_weight()
        model.layers[0].kernel.constraint = keras.constraints.NonNeg()
        return model

    process = fl.build_weighted_fed_avg(
        non_negative,
        server_optimizer_fn=lambda: keras.optimizers.SGD(1.0, momentum=0.9),
        aggregator=aggregator,
    )
    state = process.initialize()
    seen = []
    for y in (1.0, 0.0, 0.0):
        state = process.next(state, [constant(y), constant(y)]).state
        seen.append(float(state.weights.to_vector()[0]))
    # Δ = 1: velocity 1; Δ = -1: velocity -0.1; Δ = -0.9: velocity -0.99, so w would be -0.09
    np.testing.assert_allclose(seen, [1.0, 0.9, 0.0], atol=1e-5)
    assert seen[-1] == 0


def test_an_optimizer_begins_with_the_weights_that_training_begins_with():
    process = fl.build_fed_sgd(
        named, lambda: keras.optimizers.ScheduleFreeAdamW(0.1), aggregator=fl.PlainSum()
    )
    own = process.initialize()
    given = fl.ModelWeights(
        tuple(array + 1 for array in own.weights.trainable), own.weights.non_trainable
    )
    state = process.initialize(given)
    copies = [array for array in state.optimizer if array.shape == (4, 5)]
    np.testing.assert_array_equal(copies[0], given.trainable[0])
    # and a state is the whole: what was done in between changes no round
    one = process.next(state, [arrays(9)]).state
    process.initialize()
    two = process.next(state, [arrays(9)]).state
    np.testing.assert_array_equal(one.weights.to_vector(), two.weights.to_vector())


def excluding(model):
    optimizer = keras.optimizers.AdamW(0.1)
    optimizer.exclude_from_weight_decay(var_list=[model.trainable_variables[1]])
    return optimizer


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras.optimizers.SGD(1.0, use_ema=True), "ema_overwrite_frequency in rounds"),
        (
            lambda: keras.optimizers.MultiOptimizer(lambda v: keras.optimizers.SGD(use_ema=True)),
            "returned SGD with use_ema",
        ),
        (lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()), "loss scale"),
        (lambda: keras.optimizers.SGD(1.0, loss_scale_factor=8.0), "loss scale"),
        (lambda: excluding(named()), "variables of another model"),
    ],
)
def test_what_has_no_meaning_on_a_server_is_refused(make, message):
    with pytest.raises(fl.errors.ModelError, match=message):
        fl.build_weighted_fed_avg(named, server_optimizer_fn=make)


def test_a_weight_that_is_overwritten_with_its_gradient_is_refused_by_name():
    def float8():
        model = named()
        model.layers[0].kernel.overwrite_with_gradient = True
        return model

    with pytest.raises(
        fl.errors.ModelError, match="hidden/kernel' is overwritten with its gradient"
    ):
        fl.build_weighted_fed_avg(float8)


# Algorithm 2 of Reddi et al. 2021 and, for momentum, algorithm 1 of Hsu et al. 2019, with their
# numbers: x <- x + update(Δ).
TAU = 1e-3


def momentum(delta, m, v):
    m = 0.9 * m + delta
    return m, m, v


def adaptive(second_moment, rate, beta_1):
    def step(delta, m, v):
        m = beta_1 * m + (1 - beta_1) * delta
        v = second_moment(v, delta**2)
        return rate * m / (np.sqrt(v) + TAU), m, v

    return step


PAPERS = {
    "fedavg": lambda delta, m, v: (delta, m, v),
    "fedavgm": momentum,
    "fedadagrad": adaptive(lambda v, s: v + s, 0.1, 0.0),
    "fedadam": adaptive(lambda v, s: 0.99 * v + 0.01 * s, 0.01, 0.9),
    "fedyogi": adaptive(lambda v, s: v - 0.01 * s * np.sign(v - s), 0.01, 0.9),
}


@pytest.mark.parametrize(
    "aggregator", [fl.PlainSum(), fl.SecureSum(max_weight=20)], ids=["plain", "secure"]
)
@pytest.mark.parametrize("name", PAPERS)
def test_five_rounds_by_the_pseudo_code_of_the_papers(name, aggregator):
    process = registry.build(
        name, named_free, client_rate=0.05, server_rate=None, extra={}, aggregator=aggregator
    )
    plain = fl.build_weighted_fed_avg(
        named_free, lambda: keras.optimizers.SGD(0.05), aggregator=fl.PlainSum()
    )
    clients = [arrays(n, seed=n) for n in (10, 20, 5)]
    state = process.initialize()
    x = state.weights.to_vector().astype(np.float64)
    m, v = np.zeros_like(x), np.full_like(x, TAU**2)
    for _ in range(5):
        # the mean delta at these weights: what a round of plain averaging adds to them
        here = plain.next(replace(plain.initialize(state.weights), round=state.round), clients)
        delta = here.state.weights.to_vector().astype(np.float64) - state.weights.to_vector()
        update, m, v = PAPERS[name](delta, m, v)
        x = x + update
        state = process.next(state, clients).state
        np.testing.assert_allclose(state.weights.to_vector(), x, atol=2e-5)
    assert np.abs(x - process.initialize().weights.to_vector()).max() > 0.02


def test_what_the_command_line_takes_is_what_the_docs_say():
    page = (Path(__file__).parents[3] / "docs" / "algorithms.md").read_text()
    told = dict(re.findall(r"^\| (Fed\w+) \| `((?:keras|fl)\..*?)` \|", page, re.MULTILINE))
    assert told.keys() == {"FedAvgM", "FedAdagrad", "FedAdam", "FedYogi"}
    for name, expression in told.items():
        expected = eval(expression)
        process = registry.build(
            name.lower(), one_weight, client_rate=0.5, server_rate=None, extra={}
        )
        optimizer = process._server._optimizer
        assert type(optimizer) is type(expected)
        ours, theirs = optimizer.get_config(), expected.get_config()
        assert {**ours, "name": ""} == {**theirs, "name": ""}


def named_free():
    """A model without constraints."""
    keras.utils.set_random_seed(2)
    layers = [keras.Input((4,)), keras.layers.Dense(5, "tanh"), keras.layers.Dense(3)]
    return compiled(keras.Sequential(layers), metrics=())


def test_the_first_step_of_fedadagrad():
    process = fl.build_weighted_fed_avg(
        one_weight, server_optimizer_fn=fl.FedAdagrad, aggregator=fl.PlainSum()
    )
    state = process.next(process.initialize(), [constant(-0.0022)]).state
    # 0.1·Δ / (√(τ² + Δ²) + τ)
    expected = -0.1 * 0.0022 / (math.sqrt(1e-6 + 0.0022**2) + 1e-3)
    assert state.weights.to_vector() == pytest.approx([expected], rel=1e-4)
