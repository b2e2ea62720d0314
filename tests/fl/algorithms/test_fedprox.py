"""FedProx draws local training back to where it began."""

import keras
import numpy as np
import pytest

import fl
from tests.helpers.small import constant, linear, one_weight


def vector(state):
    return state.weights.to_vector()


def process_of(strength, **options):
    return fl.build_weighted_fed_prox(
        one_weight,
        strength,
        lambda: keras.optimizers.SGD(0.25),
        aggregator=options.pop("aggregator", fl.PlainSum()),
        batch_size=1,
        **options,
    )


@pytest.mark.parametrize("aggregator", [fl.PlainSum(), fl.SecureSum(clip=16.0)])
def test_two_steps_by_hand(aggregator):
    # from w⁰ = 0, x = 1, y = 8, rate 1/4, μ = 1: gradients 2(w - 8) + (w - 0)
    #   w = 0: -16 -> w = 4;   w = 4: -8 + 4 -> w = 5
    process = process_of(1.0, aggregator=aggregator)
    state = process.next(process.initialize(), [constant(8.0, 2), constant(8.0, 2)]).state
    np.testing.assert_array_equal(vector(state), [5.0])
    # from w⁰ = 5: 2(5 - 8) -> 6.5;   2(6.5 - 8) + 1.5 -> 6.875
    state = process.next(state, [constant(8.0, 2), constant(8.0, 2)]).state
    np.testing.assert_array_equal(vector(state), [6.875])


def test_the_unweighted_mean_counts_every_client_once():
    process = fl.build_unweighted_fed_prox(
        one_weight, 1.0, lambda: keras.optimizers.SGD(0.25), aggregator=fl.PlainSum(), batch_size=1
    )
    state = process.next(process.initialize(), [constant(8.0, 2), constant(0.0, 9)]).state
    np.testing.assert_array_equal(vector(state), [2.5])


def test_without_strength_it_is_federated_averaging(plain, clients):
    prox = fl.build_weighted_fed_prox(
        linear, 0, aggregator=fl.PlainSum(), batch_size=8, shuffle=False, seed=3
    )
    one, two = plain.next(plain.initialize(), clients), prox.next(prox.initialize(), clients)
    np.testing.assert_array_equal(vector(one.state), vector(two.state))
    assert one.metrics["client_work"] == two.metrics["client_work"]


def test_the_more_strength_the_less_the_weights_move(clients):
    norms = []
    for strength in (0.0, 1.0, 5.0):
        process = fl.build_weighted_fed_prox(
            linear, strength, aggregator=fl.PlainSum(), batch_size=4, epochs=3
        )
        result = process.next(process.initialize(), clients)
        norms.append(result.metrics["finalizer"]["update_norm"])
    assert norms == sorted(norms, reverse=True)
    assert norms[2] < norms[0] / 2


def test_secure_and_plain_agree_within_the_bound(clients):
    states = []
    for aggregator in (fl.PlainSum(), fl.SecureSum()):
        process = fl.build_weighted_fed_prox(linear, 0.5, aggregator=aggregator, batch_size=8)
        state, metrics = process.next(process.initialize(), clients, dropouts={2: 1})
        states.append(vector(state))
    bound = metrics["aggregator"]["error_bound"] + 2 * np.spacing(np.abs(states[0]))
    assert (np.abs(states[1] - states[0]) <= bound).all()


def test_the_model_that_comes_out_has_the_optimizer_that_it_was_compiled_with():
    process = fl.build_weighted_fed_prox(linear, 1.0, aggregator=fl.PlainSum())
    assert type(process.get_model(process.initialize()).optimizer) is keras.optimizers.SGD


def test_the_learning_rate_of_a_round_reaches_the_inner_optimizer():
    process = process_of(1.0, client_learning_rate=lambda round: 0.125)
    state = process.next(process.initialize(), [constant(8.0)]).state
    np.testing.assert_array_equal(vector(state), [2.0])


def test_under_mixed_precision_the_term_is_added_to_the_unscaled_gradient():
    def model_fn():
        model = keras.Sequential(
            [
                keras.Input((1,)),
                keras.layers.Dense(
                    1, use_bias=False, kernel_initializer="zeros", dtype="mixed_float16"
                ),
            ]
        )
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.25), 8.0)
        model.compile(optimizer, loss="mse", jit_compile=False)
        return model

    process = fl.build_weighted_fed_prox(model_fn, 1.0, aggregator=fl.PlainSum(), batch_size=1)
    state = process.next(process.initialize(), [constant(8.0, 2)]).state
    np.testing.assert_array_equal(vector(state), [5.0])


@pytest.mark.parametrize("strength", [-1.0, np.nan, np.inf])
def test_strengths_that_cannot_be_are_refused(strength):
    with pytest.raises(fl.errors.ModelError, match="proximal_strength is"):
        process_of(strength)


def test_the_strength_is_in_the_context():
    optimizers = {process_of(strength)._terms.optimizer for strength in (0.0, 1.0, 1.0)}
    assert len(optimizers) == 2


def test_the_wrapped_optimizer_is_saved_and_loaded():
    from fl.algorithms.fedprox import Proximal

    again = Proximal.from_config(Proximal(keras.optimizers.SGD(0.25), 2.0).get_config())
    assert (again.strength, float(again.learning_rate)) == (2.0, 0.25)
