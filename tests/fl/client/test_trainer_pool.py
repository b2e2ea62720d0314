"""Clients trained in parallel give what they give one after another, bit for bit."""

from collections.abc import Sequence

import keras
import numpy as np
import pytest

import fl
from tests.helpers.small import Counting, arrays, compiled


def model_fn():
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Dense(8), keras.layers.Dropout(0.3), Counting()]
    return compiled(keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(3)]))


def build(workers=1):
    return fl.build_weighted_fed_avg(
        model_fn, aggregator=fl.PlainSum(), batch_size=4, epochs=2, workers=workers
    )


@pytest.fixture(scope="module")
def processes():
    return [build(), build(workers=3)]


def test_three_workers_give_what_one_gives(processes):
    clients = [arrays(5 + 3 * n, seed=n) for n in range(11)]
    weights, reports = [], []
    for process in processes:
        state = process.initialize()
        for _ in range(3):
            state, metrics = process.next(state, clients, dropouts={4: 1})
        weights.append(state.weights.to_vector())
        reports.append(metrics["client_work"])
    np.testing.assert_array_equal(*weights, strict=True)
    assert reports[0] == reports[1]


def test_an_error_names_its_client_and_harms_no_other(processes):
    clients = [arrays(8, seed=n) for n in range(6)]
    one, three = (p.next(p.initialize(), clients).state for p in processes)
    x, y = arrays(8)
    with pytest.raises(fl.errors.DataError, match=r"^client 3: "):
        processes[1].next(three, [*clients[:3], *[(x, y + 100)] * 3])
    again = processes[1].next(processes[1].initialize(), clients).state
    np.testing.assert_array_equal(again.weights.to_vector(), one.weights.to_vector())


class Cohort(Sequence):
    """Clients' data that are made when they are asked for."""

    def __init__(self, clients):
        self.clients = clients
        self.taken = []

    def __len__(self):
        return self.clients

    def __getitem__(self, client):
        if client >= self.clients:
            raise IndexError(client)
        self.taken.append(client)
        return arrays(8, seed=client)


def test_data_are_taken_once_when_their_turn_comes(processes):
    evaluate = fl.build_fed_eval(model_fn, aggregator=fl.PlainSum())
    for process in processes:
        cohort = Cohort(6)
        state = process.next(process.initialize(), cohort).state
        assert sorted(cohort.taken) == list(range(6))
    cohort = Cohort(4)
    evaluate(state.weights, cohort)
    assert cohort.taken == [0, 1, 2, 3]


def test_workers_that_are_not_alike_are_refused():
    rates = iter([0.1, 0.2])

    def differs():
        return keras.optimizers.SGD(next(rates))

    with pytest.raises(fl.errors.ModelError, match="different client optimizers"):
        fl.build_weighted_fed_avg(model_fn, differs, workers=2)
    for count in (0, 999_999):
        with pytest.raises(fl.errors.ModelError, match=f"workers is {count}, expected 1 to 256"):
            build(workers=count)


def around(workers, base=None, metric="accuracy", optimizer=None):
    """Over models with the same layers, one of which, a metric or an optimizer may be shared."""

    def made():
        keras.utils.set_random_seed(3)
        layers = [keras.Input((4,)), base or keras.layers.Dense(5), keras.layers.Dense(3)]
        return compiled(keras.Sequential(layers), optimizer, metrics=[metric])

    return fl.build_weighted_fed_avg(made, aggregator=fl.PlainSum(), batch_size=4, workers=workers)


def test_a_layer_or_a_model_of_several_workers_is_refused_by_name():
    base = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, name="body")])
    with pytest.raises(
        fl.errors.ModelError, match=r"the same variables, .*body/kernel, .*body/bias, "
    ):
        around(3, base)
    model = model_fn()
    with pytest.raises(fl.errors.ModelError, match=r"the same variables, .* and \d+ more, "):
        fl.build_weighted_fed_avg(lambda: model, workers=2)


def test_a_metric_of_several_workers_is_refused_once_both_have_trained():
    metric = keras.metrics.SparseCategoricalAccuracy("mine")
    process = around(2, metric=metric)
    clients = [arrays(40, seed=n) for n in range(4)]

    def three_rounds():  # a quick worker may have taken every client of the first one
        for _ in range(3):
            process.next(process.initialize(), clients)

    with pytest.raises(fl.errors.ModelError, match="use the same variables, mine/"):
        three_rounds()


def test_an_optimizer_given_to_several_models_is_made_anew():
    process = around(2, optimizer=keras.optimizers.Adam())
    process.next(process.initialize(), [arrays(8, seed=n) for n in range(4)])
