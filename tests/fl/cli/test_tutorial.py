"""What the classic tutorial needs of `fl train`: softmax from zeros, examples in their order.

w <- w + Σ n_u (w_u − w) / Σ n_u        w_u: SGD(.02) over batches of 20, server SGD(1.0)
"""

import json

import numpy as np
import pytest

import fl
from fl.cli import app
from fl.data.federated import Division, federated
from fl.experiment import model_zoo
from fl.experiment.settings import RunOptions, Settings
from fl.experiment.training import Training

RATE, BATCH, EPOCHS, CLIENTS, ROUNDS = 0.02, 20, 2, 4, 3


def softmax_step(weights, bias, x, y):
    """One step of plain SGD on the mean cross-entropy, in float64."""
    logits = x @ weights + bias
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    return weights - RATE * x.T @ p / len(y), bias - RATE * p.mean(axis=0)


def by_hand(clients):
    weights, bias = np.zeros((64, 10)), np.zeros(10)
    for _ in range(ROUNDS):
        ends = []
        for x, y in clients:
            w, b = weights, bias
            for start in [*range(0, len(y), BATCH)] * EPOCHS:
                w, b = softmax_step(w, b, x[start : start + BATCH], y[start : start + BATCH])
            ends.append((len(y), w, b))
        total = sum(n for n, _, _ in ends)
        weights, bias = (sum(end[0] * end[i] for end in ends) / total for i in (1, 2))
    return np.concatenate([weights.ravel(), bias])


def test_a_training_from_zeros_in_order_is_the_formula(tmp_path):
    settings = Settings(
        model="softmax",
        initial="zeros",
        shuffle=False,
        client_lr=RATE,
        batch_size=BATCH,
        epochs=EPOCHS,
        clients=CLIENTS,
        clients_per_round=CLIENTS,
        rounds=ROUNDS,
    )
    training = Training(settings, RunOptions(run_dir=tmp_path / "run"))
    assert not training.state.weights.to_vector().any()
    for _ in training:
        pass
    train = federated("digits", None, Division(clients=CLIENTS)).train
    expected = by_hand([train.arrays(client) for client in train.client_ids])
    np.testing.assert_allclose(training.state.weights.to_vector(), expected, rtol=1e-4, atol=2e-6)


def test_the_command_line_takes_both(tmp_path, capfd):
    command = f"train --model softmax --initial zeros --no-shuffle --rounds 1 --run-dir {tmp_path}"
    assert app.run(command.split()) == 0
    told = json.loads((tmp_path / "settings.json").read_text())
    assert (told["initial"], told["shuffle"]) == ("zeros", False)


@pytest.mark.parametrize(("model", "initial"), [("mlp", "zeros"), ("softmax", "ones")])
def test_other_first_weights_are_refused(model, initial):
    with pytest.raises(fl.errors.ModelError, match=f"first weights '{initial}' of model '{model}'"):
        model_zoo.model_fn(model, (np.zeros((2, 4), np.float32), np.zeros(2)), 3, 0, initial)
