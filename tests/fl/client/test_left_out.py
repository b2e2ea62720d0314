"""One client does not stop the others: without examples, or with malformed ones, it is left out.

It submits zeros and counts itself, wherever clients' data are taken.
"""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import fl
from fl.data import ClientData
from fl.data.federated import Federated
from fl.experiment.settings import RunOptions, Settings
from fl.experiment.training import Training
from tests.helpers.small import arrays, linear

X, Y = arrays(12)
GOOD = [arrays(n, seed=n) for n in (20, 13, 9, 30)]


class NoBatches(keras.utils.PyDataset):
    def __len__(self):
        return 0


EMPTY = {
    "arrays": (X[:0], Y[:0]),
    "arrays of another shape": (np.zeros((0, 7)), np.zeros(0)),
    "lists": ([], []),
    "by name": {"x": X[:0], "y": Y[:0]},
    "no batch": [],
    "a batch without a row": [(X[:0], Y[:0])],
    "data set": tf.data.Dataset.from_tensor_slices((X, Y)).batch(4).take(0),
    "PyDataset": NoBatches(),
    "generator": lambda: iter(()),
}
MALFORMED = {
    "wide": ((np.ones((5, 9), np.float32), Y[:5]), r"x has shape \(examples, 9\)"),
    "None": (None, "client data of type NoneType"),
    "words": ((X.astype(str), Y), "Cast string to float"),
    "labels out of range": ((X, Y + 70_001), "label value of"),
    "rows that differ": ((X, Y[:5]), "different numbers of rows"),
    "no y": (X, "x without y"),
}
AGGREGATORS = {"plain": fl.PlainSum(), "secure": fl.SecureSum()}


def weights(state):
    return state.weights.to_vector()


def left_out(metrics):
    seen = metrics["aggregator"]
    return seen["without_examples"], seen["malformed"]


@pytest.mark.parametrize("name", AGGREGATORS)
@pytest.mark.parametrize("kind", EMPTY)
def test_a_client_without_examples_is_counted_and_not_in_the_mean(request, name, kind):
    process = request.getfixturevalue(name)
    state = process.initialize()
    expected = process.next(state, GOOD)
    # First: in the first round nothing was traced before.
    after, metrics = process.next(state, [EMPTY[kind], *GOOD])
    assert left_out(metrics) == (1, 0)
    assert metrics["aggregator"]["survivors"] == [0, 1, 2, 3, 4]
    assert metrics["client_work"]["train"]["num_examples"] == 72
    bound = 2 * metrics["aggregator"]["error_bound"] + 1e-6
    np.testing.assert_allclose(weights(after), weights(expected.state), rtol=0, atol=bound)


@pytest.mark.parametrize("name", AGGREGATORS)
@pytest.mark.parametrize("kind", MALFORMED)
def test_one_client_of_several_with_malformed_data_is_counted_and_named(request, name, kind):
    process = request.getfixturevalue(name)
    data, message = MALFORMED[kind]
    state = process.initialize()
    expected = process.next(state, GOOD)
    told = rf"1 of 6 clients count for nothing, because of their data: .*{message}.* i = 2\)"
    with pytest.warns(fl.errors.SumWarning, match=told):
        after, metrics = process.next(state, [*GOOD[:2], data, EMPTY["arrays"], *GOOD[2:]])
    assert left_out(metrics) == (1, 1)
    assert metrics["client_work"]["train"]["num_examples"] == 72
    bound = 2 * metrics["aggregator"]["error_bound"] + 1e-6
    np.testing.assert_allclose(weights(after), weights(expected.state), rtol=0, atol=bound)


def test_a_client_alone_among_others_that_count_for_nothing_gives_no_model(secure):
    """The sum is its update, which the server of a secure sum is not to have."""
    state, before = secure.initialize(), secure.initialize()
    nan = (np.full_like(X, np.nan), Y)
    told = "one client alone of 4 counts for something, expected at least 2: the sum is its update"
    with pytest.raises(fl.errors.TooFewClients, match=f"{told}. Of the others 2 .* 1 an update"):
        secure.next(state, [EMPTY["arrays"], GOOD[0], nan, EMPTY["lists"]])
    np.testing.assert_array_equal(weights(state), weights(before))
    with pytest.warns(fl.errors.SumWarning, match="1 clients .* update is not finite"):
        _, metrics = secure.next(state, [EMPTY["arrays"], GOOD[0], nan, GOOD[1]])
    assert metrics["aggregator"]["non_finite"]["update"] == 1


def test_a_client_alone_is_no_secret_in_the_clear_and_is_hidden_by_noise(plain):
    """Whether it is alone is not told of a sum with noise: a refusal would tell."""
    others = [EMPTY["arrays"], EMPTY["lists"]]
    assert left_out(plain.next(plain.initialize(), [GOOD[0], *others]).metrics) == (2, 0)
    aggregator = fl.aggregators.CentralNoise(fl.aggregators.ByNorm(fl.SecureSum(), 1.0), 1.0)
    noisy = fl.build_unweighted_fed_avg(linear, aggregator=aggregator)
    assert noisy.next(noisy.initialize(), [GOOD[0], *others]).state.round == 1


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_first_client_leaves_no_trace(kind):
    """Keras builds losses and metrics by the first data that it sees."""
    expected, seen = (
        fl.build_weighted_fed_avg(linear, aggregator=fl.PlainSum(), shuffle=False) for _ in "ab"
    )
    with pytest.warns(fl.errors.SumWarning, match="1 of 5 clients"):
        after = seen.next(seen.initialize(), [MALFORMED[kind][0], *GOOD]).state
    reached = expected.next(expected.initialize(), GOOD).state
    np.testing.assert_array_equal(weights(after), weights(reached))


def test_malformed_data_of_half_the_clients_are_an_error(plain):
    bad, state = MALFORMED["wide"][0], plain.initialize()
    with pytest.raises(fl.errors.DataError, match=r"^client 1: x has shape \(examples, 9\)"):
        plain.next(state, [GOOD[0], bad])
    # Those without examples say nothing for the others.
    with pytest.raises(fl.errors.DataError, match=r"^client 0: x has shape"):
        plain.next(state, [bad, GOOD[0], *[EMPTY["lists"]] * 3])
    with pytest.warns(
        fl.errors.SumWarning, match=r"2 of 5 clients .*; client data of type .*i = 1, 3\)"
    ):
        plain.next(state, [GOOD[0], bad, GOOD[1], None, GOOD[2]])


def test_the_rest_is_not_read_where_half_of_all_are_malformed(plain):
    read = []

    class Data(list):
        def __getitem__(self, index):
            read.append(index)
            return super().__getitem__(index)

    with pytest.raises(fl.errors.DataError, match="client 0: "):
        plain.next(plain.initialize(), Data([7] * 9))
    assert read == [0, 1, 2, 3, 4]


def test_a_warning_names_no_more_than_ten(plain):
    with pytest.warns(fl.errors.SumWarning, match=r"12 of 25 clients .* i = 0, 1, .*, 9, \.\.\.\)"):
        plain.next(plain.initialize(), [7] * 12 + [arrays(3)] * 13)


@pytest.mark.parametrize("aggregator", AGGREGATORS.values(), ids=AGGREGATORS)
def test_where_nobody_has_an_example_the_round_says_so(aggregator):
    process = fl.build_weighted_fed_avg(linear, aggregator=aggregator)
    state = process.initialize()
    with pytest.raises(fl.errors.NoExamples, match="none of 9 clients has an example"):
        process.next(state, [*EMPTY.values()])
    evaluate = fl.build_fed_eval(linear, aggregator=aggregator)
    with pytest.raises(fl.errors.NoExamples, match="none of 9 clients"):
        evaluate(state.weights, [*EMPTY.values()])
    assert process.next(state, GOOD).state.round == 1


OTHERS = {
    "FedSGD": lambda: fl.build_fed_sgd(linear),
    "FedProx": lambda: fl.build_unweighted_fed_prox(linear, 0.1),
    "by norm": lambda: fl.build_weighted_fed_avg(
        linear, aggregator=fl.aggregators.AdaptiveNorm(fl.SecureSum())
    ),
    "two workers": lambda: fl.build_weighted_fed_avg(linear, workers=2),
}


@pytest.mark.parametrize("other", OTHERS)
def test_every_algorithm_leaves_them_out(other):
    process = OTHERS[other]()
    with pytest.warns(fl.errors.SumWarning, match="1 of 6 clients"):
        metrics = process.next(process.initialize(), [None, EMPTY["lists"], *GOOD]).metrics
    assert left_out(metrics) == (1, 1)
    assert metrics["client_work"]["train"]["num_examples"] == 72


def test_a_worker_that_could_train_nobody_is_asked_for_nothing():
    process = fl.build_weighted_fed_avg(linear, workers=3)
    with pytest.warns(fl.errors.SumWarning, match="1 of 3 clients"):
        metrics = process.next(process.initialize(), [MALFORMED["wide"][0], *GOOD[:2]]).metrics
    assert metrics["client_work"]["train"]["num_examples"] == 33


def test_evaluation_leaves_them_out():
    state = fl.ModelWeights.from_model(linear())
    evaluate = fl.build_fed_eval(linear)
    expected = evaluate(state, GOOD)["client_work"]["eval"]
    with pytest.warns(fl.errors.SumWarning, match="1 of 6 clients"):
        metrics = evaluate(state, [None, EMPTY["generator"], *GOOD])
    assert left_out(metrics) == (1, 1)
    assert metrics["client_work"]["eval"] == pytest.approx(expected)


def test_personalization_leaves_out_who_cannot_train_or_test():
    def halves(x, y):
        return {"train": (x[::2], y[::2]), "test": (x[1::2], y[1::2])}

    evaluate = fl.build_personalization_eval(linear, {"sgd": fl.FineTune()})
    state, good = fl.ModelWeights.from_model(linear()), [halves(*data) for data in GOOD]
    expected = evaluate(state, good)["client_work"]["eval"]
    empty = [{**good[0], part: EMPTY["PyDataset"]} for part in ("train", "test")]
    with pytest.warns(fl.errors.SumWarning, match=r"1 of 7 clients .*two parts.* i = 0\)"):
        metrics = evaluate(state, [(X, Y), *empty, *good])
    assert left_out(metrics) == (2, 1)
    seen = metrics["client_work"]["eval"]
    assert {name: seen[name] == pytest.approx(expected[name]) for name in expected} == {
        "baseline": True,
        "sgd": True,
    }


@pytest.mark.parametrize("aggregator", AGGREGATORS.values(), ids=AGGREGATORS)
def test_k_means_leaves_them_out(aggregator):
    process = fl.build_fed_kmeans(2, (2,), aggregator=aggregator)
    state, points = process.initialize([[0, 0], [9, 9]]), np.float64([[1, 1], [8, 8], [10, 8]])
    good = [points, points + 1, (points, np.zeros(3))]
    expected = process.next(state, good).state.centers
    with pytest.warns(
        fl.errors.SumWarning, match=r"1 of 6 clients .*points of shape \(3,\), expected \(2,\)"
    ):
        after, metrics = process.next(state, [np.zeros((0, 2)), np.ones((4, 3)), [], *good])
    assert left_out(metrics) == (2, 1)
    np.testing.assert_allclose(after.centers, expected, rtol=0, atol=1e-12)
    with pytest.raises(fl.errors.NoExamples, match="none of 2"):
        process.next(state, [np.zeros((0, 2)), []])


def test_analytics_leave_out_who_has_no_value():
    values, plain = [[], [1.0, 2.0], np.zeros((0, 3)), [6.0]], fl.PlainSum()
    for aggregator in (None, plain):
        summed = fl.analytics.secure_sum(values, aggregator=aggregator)
        assert (summed.value, summed.aggregator["without_examples"]) == (9.0, 2)
        assert fl.analytics.secure_mean(values, aggregator=aggregator).value == 3.75
        assert fl.analytics.secure_weighted_mean(values, aggregator=aggregator).value == 3.0
        weighted = fl.analytics.secure_weighted_mean(values, [5, 1, 5, 3], aggregator=aggregator)
        assert weighted.value == (1.5 + 18) / 4
        found = fl.analytics.secure_histogram(values, [0, 3, 6], aggregator=aggregator)
        assert (found.counts.tolist(), found.aggregator["without_examples"]) == ([2, 1], 2)
        middle = fl.analytics.secure_quantile(values, 0.5, low=0, high=8, aggregator=aggregator)
        assert abs(middle.value - 2) <= middle.error_bound
    assert fl.analytics.secure_sum([[], [[1, 2]], [[3, 4]]]).value.tolist() == [4.0, 6.0]
    with pytest.raises(fl.errors.NoExamples, match="none of 2 clients has a value"):
        fl.analytics.secure_mean([[], []])
    with pytest.raises(fl.errors.AggregationError, match="there is no mean"):  # who has one is gone
        fl.analytics.secure_mean(
            [[], [], [1.0]], aggregator=fl.PlainSum(threshold=2), dropouts={2: 0}
        )


def test_more_examples_than_max_weight_stop_nobody():
    process = fl.build_weighted_fed_avg(linear, aggregator=fl.SecureSum(max_weight=29))
    with pytest.warns(
        fl.errors.SumWarning, match="1 clients count for nothing because of their weight"
    ):
        metrics = process.next(process.initialize(), GOOD).metrics
    assert metrics["aggregator"]["bad_weights"] == 1
    assert metrics["client_work"]["train"]["num_examples"] == 42


@pytest.mark.parametrize("sizes", [(0, 9, 7, 8), (0, 0, 0, 0)], ids=["one", "all"])
def test_a_run_goes_on_over_clients_without_examples(tmp_path, monkeypatch, sizes):
    names = [str(i) for i in range(len(sizes))]
    pixels, labels = np.ones((9, 6), np.float32), np.arange(9) % 3

    def read(client):
        return {"x": pixels[: sizes[int(client)]], "y": labels[: sizes[int(client)]]}

    data = Federated(
        ClientData(names, read), ClientData.from_partition((pixels, labels), [np.arange(9)])
    )
    monkeypatch.setattr("fl.experiment.training.federated", lambda *_: data)
    settings = Settings(clients_per_round=4, model="softmax", rounds=2)
    run = Training(settings, RunOptions(run_dir=tmp_path))
    rounds = list(run)
    assert [metrics["round"] for metrics in rounds] == [1, 2]
    for metrics in rounds:
        if any(sizes):
            assert left_out(metrics) == (1, 0)
        else:
            assert re.search("none of 4 clients has an example", metrics["failed"])
