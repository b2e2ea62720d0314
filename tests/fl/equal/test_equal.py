"""Secure equals plain equals Keras, or it is refused by name: a table of models and settings.

Each row is trained over three clients by the plain and by the secure sum, and for one client by
Keras's own `fit`, which begins each round with a new optimizer, as a client does. In a row nothing
may differ without a word.
"""

import copy
import re

import keras
import numpy as np
import pytest

import fl
from tests.fl.equal.row import BATCH, Row
from tests.fl.equal.rows_layers import LAYERS
from tests.fl.equal.rows_numbers import NUMBERS
from tests.fl.equal.rows_optimizers import OPTIMIZERS
from tests.fl.equal.rows_own import OWN

# One row has a client whose update is not finite, which is said; any other warning is an error.
pytestmark = pytest.mark.filterwarnings("ignore:1 clients count for nothing because their update")

ROWS: dict[str, Row] = {**NUMBERS, **LAYERS, **OWN, **OPTIMIZERS}


def rows(wanted):
    """These rows as parameters, all but the fast ones marked slow."""
    return [
        pytest.param(row, id=name, marks=() if row.fast else pytest.mark.slow)
        for name, row in ROWS.items()
        if wanted(row)
    ]


def first_round(row):
    """The row's process, which has played a round."""
    process = row.process()
    process.next(process.initialize(), [row.shape(each) for each in row.clients()])
    return process


@pytest.fixture(scope="module", params=rows(lambda row: row.refused is None))
def setting(request):
    """A row and its process."""
    return request.param, first_round(request.param)


def vector(state):
    return state.weights.to_vector().astype(np.float64)


def size(examples):
    return len(keras.tree.flatten(examples)[0])


def close(row, seen, expected, rtol, atol=0.0):
    """Two dicts of metrics are the same, but for those that Keras counts in its own way."""
    assert seen.keys() == expected.keys()
    for name in expected.keys() - set(row.not_compared):
        np.testing.assert_allclose(seen[name], expected[name], rtol, atol, err_msg=name)


def test_secure_is_plain(setting):
    row, process = setting
    secure = copy.copy(process)  # the same training, another sum
    secure._aggregator = fl.SecureSum(**{"max_weight": max(20, row.epochs), **row.secure})
    clients = [row.shape(each) for each in row.clients()]
    state = process.initialize()
    for _ in range(row.rounds):
        before = vector(state)
        other, seen = secure.next(state, clients)
        state, expected = process.next(state, clients)
        report = seen["aggregator"]
        assert report["clipped"] == 0
        assert seen["finalizer"]["update_non_finite"] == expected["finalizer"]["update_non_finite"]
        # Besides the bound, float32 rounds what is added to the weights.
        rounding = 1e-6 * np.maximum(np.abs(before), np.abs(vector(state)))
        bound = (report["error_bound"] + rounding) * row.server_gain
        difference = np.abs(vector(other) - vector(state))
        assert (difference <= bound).all(), f"{difference.max()} above {bound.max()}"
        # Whatever its size, a metric has six digits.
        close(row, seen["client_work"]["train"], expected["client_work"]["train"], 1e-6)
    assert np.abs(vector(state) - vector(process.initialize())).max() > 0, "nothing was learned"


def test_one_client_is_keras_fit(setting):
    row, process = setting
    if not row.fit:
        pytest.skip("`fit` does something else, on purpose")
    data = row.clients()[0]
    state, weights = process.initialize(), None
    for _ in range(row.rounds):
        model = row.new_model()
        if weights is not None:
            model.set_weights(weights)
        history = fit(row, model, data)
        weights = model.get_weights()
        state, metrics = process.next(state, [row.shape(data)])
        expected = fl.ModelWeights.from_model(model).to_vector()
        np.testing.assert_allclose(vector(state), expected, row.rtol, row.atol)
        trained = dict(metrics["client_work"]["train"])
        assert trained.pop("num_examples") == size(data)
        skipped = trained.pop("num_skipped", 0)
        assert skipped < trained["num_batches"], "nothing was learned"
        assert trained.pop("num_batches") == row.epochs * -(-size(data) // BATCH)
        if row.epochs == 1:  # of several, `fit` tells the last, and a client the mean
            close(row, trained, history, max(1e-4, row.rtol), 1e-12)


def fit(row, model, data):
    """Keras's training with a new optimizer; its metrics."""
    # Inside of `fit`, an optimizer that begins with a copy of the weights would not get it.
    model.optimizer.build(model.trainable_variables)
    model.run_eagerly = True  # faster than to trace
    weighted = {"sample_weight": data[2]} if len(data) > 2 else {}
    how = {"batch_size": BATCH, "epochs": row.epochs, "shuffle": False, "verbose": 0}
    history = model.fit(*data[:2], **weighted, **how).history
    return {name: values[-1] for name, values in history.items()}


@pytest.mark.slow
@pytest.mark.parametrize("row", rows(lambda row: row.evaluate and row.refused is None))
@pytest.mark.parametrize("aggregator", [fl.PlainSum(), fl.SecureSum()], ids=["plain", "secure"])
def test_evaluation_over_clients_is_keras_evaluate_over_all_examples(row, aggregator):
    clients = row.clients()
    model = row.new_model()
    together = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *clients)
    weighted = {"sample_weight": together[2]} if len(together) > 2 else {}
    expected = model.evaluate(*together[:2], **weighted, return_dict=True, verbose=0)
    evaluate = fl.build_fed_eval(row.new_model, aggregator=aggregator)
    weights = fl.ModelWeights.from_model(model)
    seen = evaluate(weights, [row.shape(each) for each in clients])["client_work"]["eval"]
    assert seen.pop("num_examples") == size(together)
    del seen["num_batches"]  # of each client's own
    close(row, seen, expected, max(2e-5, row.rtol))


@pytest.mark.parametrize("row", rows(lambda row: row.refused is not None))
def test_what_cannot_be_right_is_refused_by_name(row):
    with pytest.raises(fl.errors.FLError, match=re.escape(row.refused)):
        first_round(row)


def test_the_table_is_long_enough():
    assert len(ROWS) >= 30
