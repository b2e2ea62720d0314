"""Keras optimizers on the server: each sees minus the mean delta, with numbers by hand."""

import math

import keras
import numpy as np
import pytest
from small import constant, one_weight

import fl

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
        lambda: fl.Yogi(1.0, 0.5, 0.75, epsilon=0.0, initial_accumulator_value=0.0),
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
        server_optimizer_fn=lambda: fl.Yogi(1.0, 0.5, 0.75, 0.0, 0.0),
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
    yogi = fl.Yogi(0.5, 0.8, 0.9, 0.1, global_clipnorm=1.0)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(yogi))
    assert again.get_config() == yogi.get_config()
    model = one_weight()
    model.compile(fl.Yogi(0.5), loss="mse")
    x, y = constant(1.0, 8)
    losses = model.fit(x, y, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
