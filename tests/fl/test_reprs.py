"""A `repr` is one line that says what a thing is and how far it is, and nothing of one client."""

import numpy as np
import pytest

import fl
from fl.aggregators.contribution import Contribution
from fl.aggregators.interface import Session
from fl.experiment.checkpoint import Checkpoints
from fl.population.devices import Fleet
from tests.helpers.small import arrays, linear

CLIENTS = [arrays(n, seed=n) for n in (20, 13, 9)]


@pytest.fixture(scope="module")
def after():
    process = fl.build_weighted_fed_avg(linear, aggregator=fl.PlainSum())
    return process, process.next(process.initialize(), CLIENTS)


def test_a_process_its_state_and_a_round(after):
    process, result = after
    weights = "ModelWeights(15 numbers in 2 arrays trained, 0 numbers in 0 arrays not)"
    assert repr(result.state.weights) == weights
    assert repr(result.state) == (
        f"ServerState(round=1, weights={weights}, optimizer: 2 numbers in 2 arrays, "
        "aggregator: 0 numbers in 0 arrays)"
    )
    name = process.get_model(result.state).name
    assert repr(process).startswith(f"FederatedProcess(model='{name[:10]}")
    assert "client: SGD, batch_size=32, epochs=1, " in repr(process)
    assert repr(process).endswith("weighted=True, aggregator=PlainSum(threshold=None))")
    train = result.metrics["client_work"]["train"]
    assert repr(result) == (
        f"RoundResult(round 1, 3 of 3 clients, loss={train['loss']:.4g}, "
        f"accuracy={train['accuracy']:.4g}, num_examples=42, num_batches=3, "
        f"state={result.state!r})"
    )


def test_evaluations():
    evaluation = fl.build_fed_eval(linear, aggregator=fl.PlainSum())
    assert repr(evaluation).startswith("FedEval(model=")
    seen = repr(evaluation.next(evaluation.initialize(), CLIENTS))
    assert seen.startswith("RoundResult(round 1, 3 of 3 clients, loss=")
    personal = fl.build_personalization_eval(linear, {"one": fl.FineTune()})
    assert "strategies=['one']" in repr(personal)


def test_clusters():
    process = fl.build_fed_kmeans(2, (4,), aggregator=fl.PlainSum())
    result = process.next(process.initialize(), [x for x, _ in CLIENTS])
    assert repr(process).startswith("FedKMeans(2 centers of shape (4,), memory=0.0")
    assert repr(result.state) == "KMeansState(round=1, 2 centers of shape (4,))"
    assert repr(result).startswith("KMeansResult(round 1, 3 of 3 clients, mean_square=")


def test_answers_data_and_devices(tmp_path):
    assert repr(fl.analytics.secure_sum([[1, 2], [3]])).startswith("Answer(6 ± ")
    assert repr(fl.analytics.secure_sum([[[1, 2]], [[3, 4]]])).startswith("Answer(float64[2] ± ")
    histogram = fl.analytics.secure_histogram([[1, 2, 2], [3, 9]], [0, 2, 4])
    assert repr(histogram) == "Histogram(4 in 2 bins, 0 below, 1 above)"
    data = fl.data.ClientData(["a", "b"], lambda client: {})
    assert repr(data) == "ClientData(2 clients)"
    assert repr(Fleet({"a": 1})) == "Fleet(1 devices, rounds_per_hour=10)"
    assert repr(Checkpoints(tmp_path)) == f"Checkpoints({str(tmp_path)!r}, keep=3)"


def test_what_goes_into_a_sum_and_comes_out():
    contribution = Contribution(np.ones(3, np.float32), 7, np.ones(2))
    assert repr(contribution) == "Contribution(sizes=3, 0, 2)"
    total = fl.PlainSum().aggregate([contribution] * 2, Session(0, 0, [b""] * 2))
    assert repr(total) == "Aggregated(plain, 3 coordinates of 2 of 2 clients, 2 counted, clipped=0)"


def test_every_one_is_one_line(after):
    process, result = after
    for thing in (
        process,
        result,
        result.state,
        fl.SecureSum(),
        fl.aggregators.ByNorm(fl.PlainSum(), 1.0),
    ):
        assert "\n" not in repr(thing)
        assert "array(" not in repr(thing)
