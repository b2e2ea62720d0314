"""ε and noise multipliers: published ones, exact ones, and those that are refused."""

import importlib.util
import math
import sys

import numpy as np
import pytest

from fl.errors import PrivacyError
from fl.privacy import Rotation, Sensitivity, epsilon, fitted_encoding, noise_multiplier
from tests.fl.privacy.distributions import discrete_gaussian, shifted, skellam

TRAINING = {"delta": 1 / 3400, "rounds": 1500, "clients_per_round": 100, "population": 3400}
ONCE = {"delta": 1e-5, "rounds": 1, "clients_per_round": 1, "population": 1}
FINE = Sensitivity(1000.0, 100_000)
INTEGERS = pytest.mark.parametrize("mechanism", ["discrete_gaussian", "skellam"])
needs_dp_accounting = pytest.mark.skipif(
    importlib.util.find_spec("dp_accounting") is None, reason="dp-accounting is not installed"
)


@needs_dp_accounting
@pytest.mark.parametrize(("budget", "expected"), [(3, 1.610), (5, 1.168), (8, 0.919), (10, 0.833)])
def test_noise_multipliers_of_federated_emnist(budget, expected):
    found = noise_multiplier(epsilon=budget, **TRAINING)
    assert round(found, 3) == expected
    assert budget * (1 - 1e-6) < epsilon(noise_multiplier=found, **TRAINING) <= budget


@needs_dp_accounting
@INTEGERS
@pytest.mark.parametrize(("budget", "gaussian"), [(3, 1.610), (5, 1.168), (8, 0.919)])
def test_integers_cost_little_where_they_are_fine(mechanism, budget, gaussian):
    noise = {"mechanism": mechanism, "sensitivity": FINE}
    found = noise_multiplier(epsilon=budget, **noise, **TRAINING)
    # They have whole orders only, of which none is the best one.
    assert gaussian * 0.9995 <= found <= gaussian * 1.005
    assert epsilon(noise_multiplier=found, **noise, **TRAINING) <= budget


@needs_dp_accounting
@INTEGERS
def test_coarse_integers_cost_more(mechanism):
    def found(l2):
        return noise_multiplier(
            epsilon=5, mechanism=mechanism, sensitivity=Sensitivity(l2, 10_000), **TRAINING
        )

    assert found(3.0) > 1.05 * found(100.0)


@needs_dp_accounting
@INTEGERS
def test_a_noise_multiplier_and_an_encoding_that_fit_each_other(mechanism):
    budget, multiplier = 5, 1.168
    for _ in range(3):
        encoding = fitted_encoding(
            Rotation(100_000, b""), clip=1.0, bits=14, clients=100,
            noise_multiplier=multiplier, mechanism=mechanism,
        )  # fmt: skip
        noise = {"mechanism": mechanism, "sensitivity": encoding.sensitivity}
        before, multiplier = multiplier, noise_multiplier(epsilon=budget, **noise, **TRAINING)
    assert multiplier == pytest.approx(before, rel=1e-6)
    assert epsilon(noise_multiplier=before, **noise, **TRAINING) == pytest.approx(budget, rel=1e-5)


def exact_epsilon(shift, log_p, delta):
    """The least ε of one sum over integers: Σ max(0, Q − exp(ε)·P) <= δ, in both directions."""

    def spent(e):
        return max(
            np.maximum(np.exp(a) - math.exp(e) * np.exp(b), 0).sum()
            for a, b in ((shift, log_p), (log_p, shift))
        )

    low, high = 0.0, 200.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if spent(middle) <= delta else (middle, high)
    return high


@needs_dp_accounting
@pytest.mark.parametrize("by", [1, 3])
@pytest.mark.parametrize("variance", [4.0, 30.0])
@INTEGERS
def test_one_sum_costs_at_least_what_all_integers_say_and_little_more(mechanism, variance, by):
    distribution = {"skellam": skellam, "discrete_gaussian": discrete_gaussian}[mechanism]
    exact = exact_epsilon(*shifted(distribution(variance, 200), by), 1e-5)
    claimed = epsilon(
        noise_multiplier=variance**0.5 / by,
        mechanism=mechanism,
        sensitivity=Sensitivity(by, 1),
        **ONCE,
    )
    assert exact <= claimed <= 2 * exact


@needs_dp_accounting
def test_composed_and_sampled_sums_cost_at_least_what_the_privacy_loss_says():
    """dp-accounting's privacy loss of a discrete Gaussian: exact, of one dimension, sampled."""
    from dp_accounting.pld import privacy_loss_distribution as pld

    deviation, rounds, rate, delta = 3.0, 20, 0.1, 1e-5
    loss = pld.from_discrete_gaussian_mechanism(deviation, 1, sampling_prob=rate)
    exact = loss.self_compose(rounds).get_epsilon_for_delta(delta)
    claimed = epsilon(
        noise_multiplier=deviation, delta=delta, rounds=rounds, clients_per_round=1, population=10,
        mechanism="discrete_gaussian", sensitivity=Sensitivity(1.0, 1), shares=1,
    )  # fmt: skip
    assert exact <= claimed <= 1.5 * exact


@needs_dp_accounting
@INTEGERS
def test_more_noise_fewer_rounds_and_fewer_clients_cost_less(mechanism):
    def spent(multiplier=1.0, **changes):
        noise = {"mechanism": mechanism, "sensitivity": FINE, "noise_multiplier": multiplier}
        return epsilon(**noise, **(TRAINING | changes))

    assert spent(1.1) < spent() < spent(rounds=1501) < spent(clients_per_round=3400)
    assert spent(clients_per_round=99) < spent()


@needs_dp_accounting
def test_fewer_shares_of_discrete_gaussians_are_each_wider():
    noise = {"mechanism": "discrete_gaussian", "sensitivity": Sensitivity(5.0, 1000)}
    many, few = (
        epsilon(noise_multiplier=1.2, shares=shares, **noise, **TRAINING) for shares in (100, 4)
    )
    default = epsilon(noise_multiplier=1.2, **noise, **TRAINING)
    assert few < many == default


@needs_dp_accounting
def test_refusals():
    for changes, said in (
        ({"delta": 0.0}, "delta is 0.0, expected a number above 0 and below 1"),
        ({"delta": 1.0}, "delta is 1.0"),
        ({"rounds": 0}, "0 rounds, expected at least 1"),
        ({"clients_per_round": 0}, "0 clients per round of 3400, expected more than 0"),
        ({"clients_per_round": 3401}, "3401 clients per round of 3400, expected"),
    ):
        with pytest.raises(PrivacyError, match=said):
            epsilon(noise_multiplier=1.0, **(TRAINING | changes))
    with pytest.raises(PrivacyError, match="epsilon is 0, expected a finite number above 0"):
        noise_multiplier(epsilon=0, **TRAINING)
    with pytest.raises(PrivacyError, match="no noise multiplier up to 1e\\+06 is enough"):
        noise_multiplier(epsilon=1e-12, **(TRAINING | {"clients_per_round": 3400, "delta": 1e-9}))


def test_without_the_library_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    with pytest.raises(PrivacyError, match=r"pip install 'secagg\[privacy\]'"):
        epsilon(noise_multiplier=1.0, **TRAINING)
