"""What has no natural range: the secure sum is the plain one, or says what is not in it."""

import keras
import numpy as np
import pytest

import fl
from fl.model.vector import ModelWeights
from tests.helpers.small import constant, one_weight

AGGREGATORS = pytest.mark.parametrize(
    "aggregator", [fl.PlainSum(), fl.SecureSum()], ids=["plain", "secure"]
)
COLUMNS = np.float32([[40, 50_000, 12], [15, 20_000, 5]])  # means and standard deviations


def tables(clients=10, examples=30):
    """Ten clients' rows of raw columns; the label follows from two of them."""
    rng = np.random.default_rng(0)
    for _ in range(clients):
        z = rng.normal(size=(examples, 3)).astype(np.float32)
        yield COLUMNS[0] + COLUMNS[1] * z, (z[:, 0] + z[:, 1] > 0).astype(np.float32)[:, None]


def normalising():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.5),
        loss="binary_crossentropy",
        metrics=["binary_accuracy"],
        jit_compile=False,
    )
    return model


def test_moving_means_of_raw_columns_are_those_of_the_plain_sum():
    data = list(tables())
    evaluate = fl.build_fed_eval(normalising)
    ends = []
    for aggregator in (fl.PlainSum(), fl.SecureSum()):
        process = fl.build_weighted_fed_avg(normalising, aggregator=aggregator, batch_size=10)
        state = process.initialize()
        for _ in range(8):
            state, metrics = process.next(state, data)
            assert metrics["aggregator"]["clipped"] == 0
        ends.append((state, evaluate(state.weights, data)["client_work"]["eval"]))
    (plain, of_plain), (secure, of_secure) = ends
    for one, other in zip(plain.weights.arrays, secure.weights.arrays, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    mean, variance = secure.weights.non_trainable
    np.testing.assert_allclose(mean, COLUMNS[0], rtol=0.1)
    np.testing.assert_allclose(np.sqrt(variance), COLUMNS[1], rtol=0.15)
    assert of_secure["binary_accuracy"] > 0.9
    assert of_secure["loss"] == pytest.approx(of_plain["loss"], rel=1e-3)


@AGGREGATORS
def test_statistics_that_shrink_are_those_of_fit(aggregator):
    # Two clients with the same data are as one. Raw columns, and then the same in small units.
    ((raw, y),) = tables(1, 100)
    process = fl.build_weighted_fed_avg(
        normalising, aggregator=aggregator, batch_size=5, shuffle=False
    )
    state, alone = process.initialize(), normalising()
    for x in (raw, (raw - COLUMNS[0]) / COLUMNS[1]):
        state, _ = process.next(state, [(x, y)] * (1 if aggregator == fl.PlainSum() else 2))
        alone.fit(x, y, batch_size=5, shuffle=False, verbose=0)
    expected = ModelWeights.from_model(alone).non_trainable
    for seen, wanted in zip(state.weights.non_trainable, expected, strict=True):
        np.testing.assert_allclose(seen, wanted, rtol=1e-5)


@AGGREGATORS
@pytest.mark.filterwarnings("ignore:. clients count for nothing")
def test_a_client_that_counts_for_nothing_leaves_the_statistics(aggregator):
    ((x, y),) = tables(1)
    bad = np.full_like(x, np.nan)
    process = fl.build_weighted_fed_avg(
        normalising, aggregator=aggregator, batch_size=10, shuffle=False
    )
    start = process.initialize()
    alone, _ = process.next(start, [(x, y), (x, y)])
    state, _ = process.next(start, [(x, y), (bad, y), (x, y)])
    for seen, wanted in zip(state.weights.non_trainable, alone.weights.non_trainable, strict=True):
        np.testing.assert_allclose(seen, wanted, rtol=1e-6)
    nobody, _ = process.next(start, [(bad, y), (bad, y)])
    for seen, wanted in zip(nobody.weights.arrays, start.weights.arrays, strict=True):
        np.testing.assert_array_equal(seen, wanted)


def test_clipping_by_norm_leaves_statistics_as_they_are():
    data = list(tables(3))
    for aggregator in (fl.PlainSum(), fl.SecureSum()):
        process = fl.build_weighted_fed_avg(
            normalising, aggregator=fl.aggregators.ByNorm(aggregator, 1e-3), batch_size=10
        )
        start = process.initialize()
        state, metrics = process.next(start, data)
        assert metrics["aggregator"]["clip_fraction"] == 1.0
        moved = [
            a - b for a, b in zip(state.weights.trainable, start.weights.trainable, strict=True)
        ]
        assert np.sqrt(sum(np.square(part).sum() for part in moved)) < 1.001e-3
        assert state.weights.non_trainable[0][1] > 40_000


def with_metrics(*metrics, rate=0.5):
    def model_fn():
        model = one_weight()
        model.compile(
            keras.optimizers.SGD(rate), loss="mse", metrics=list(metrics), jit_compile=False
        )
        return model

    return model_fn


class Inverse(keras.metrics.MeanMetricWrapper):
    """The mean of 1 / y: not finite where a target is zero."""

    def __init__(self):
        super().__init__(lambda y, prediction: 1 / y, name="inverse")


@AGGREGATORS
def test_a_metric_that_is_not_finite_keeps_its_client_in_the_update(aggregator):
    process = fl.build_weighted_fed_avg(
        with_metrics(Inverse(), "mae"), aggregator=aggregator, batch_size=4
    )
    # the first two have zeros among their targets, and most of the examples
    data = [constant(0.0, 4), constant(0.0, 3), constant(2.0), constant(4.0)]
    state, metrics = process.next(process.initialize(), data)
    bound = metrics["aggregator"]["error_bound"]
    np.testing.assert_allclose(state.weights.to_vector(), [6 / 9], atol=2 * bound + 1e-7)
    assert metrics["aggregator"]["non_finite"] == {
        "update": 0, "examples": 0, "loss": 0, "inverse": 2, "mae": 0,
    }  # fmt: skip
    train = metrics["client_work"]["train"]
    assert (train["num_examples"], train["inverse"]) == (9, pytest.approx(3 / 8))
    assert train["mae"] == pytest.approx(6 / 9)


@AGGREGATORS
def test_mape_of_zero_targets_is_large_and_counts(aggregator):
    process = fl.build_weighted_fed_avg(with_metrics("mape"), aggregator=aggregator, batch_size=4)
    state = process.initialize(ModelWeights((np.float32([[1.0]]),), ()))
    data = [constant(0.0, 4), constant(0.0, 3), constant(2.0), constant(4.0)]
    state, metrics = process.next(state, data)
    np.testing.assert_allclose(state.weights.to_vector(), [6 / 9], atol=1e-5)
    # |0 - 1| / 1e-7 seven times, |2 - 1| / 2, |4 - 1| / 4
    expected = 100 * (7e7 + 0.5 + 0.75) / 9
    assert metrics["client_work"]["train"]["mape"] == pytest.approx(expected, rel=1e-6)
    assert set(metrics["aggregator"]["non_finite"].values()) == {0}


@AGGREGATORS
def test_in_evaluation_a_metric_fails_under_its_name_and_nan_where_nobody_has_it(aggregator):
    evaluate = fl.build_fed_eval(with_metrics(Inverse()), aggregator=aggregator)
    weights = ModelWeights((np.float32([[1.0]]),), ())
    seen = evaluate(weights, [constant(0.0, 3), constant(4.0)])
    assert seen["client_work"]["eval"]["inverse"] == 0.25
    assert seen["client_work"]["eval"]["loss"] == (3 * 1 + 9) / 4
    assert seen["aggregator"]["non_finite"]["inverse"] == 1
    nobody = evaluate(weights, [constant(0.0, 3), constant(0.0)])
    assert np.isnan(nobody["client_work"]["eval"]["inverse"])
    assert nobody["client_work"]["eval"]["loss"] == 1.0


@AGGREGATORS
def test_in_personalization_too_a_strategy_that_diverges_fails_alone(aggregator):
    evaluate = fl.build_personalization_eval(
        with_metrics(Inverse()),
        {"good": fl.FineTune(), "wild": fl.FineTune(lambda: keras.optimizers.SGD(1e30), epochs=3)},
        aggregator=aggregator,
    )
    weights = ModelWeights((np.float32([[1.0]]),), ())
    data = [{"train": constant(2.0), "test": constant(value)} for value in (2.0, 0.0)]
    seen = evaluate(weights, data)
    assert seen["client_work"]["eval"]["good"]["loss"] == 2.0  # (0 + 4) / 2
    assert seen["client_work"]["eval"]["good"]["inverse"] == 0.5
    assert np.isnan(seen["client_work"]["eval"]["wild"]["loss"])
    failed = {name: count for name, count in seen["aggregator"]["non_finite"].items() if count}
    assert failed == {
        "baseline/inverse": 1, "good/inverse": 1, "wild/inverse": 1, "wild/loss": 2,
    }  # fmt: skip


@AGGREGATORS
def test_losses_of_any_size_are_keras_own(aggregator):
    evaluate = fl.build_fed_eval(with_metrics("mae"), aggregator=aggregator)
    model = with_metrics("mae")()
    for target in (1e6, 3e5, 1e-6, 1e12, 1e-12):
        data = [constant(target, 2), constant(target / 2), constant(-target)]
        seen = evaluate(ModelWeights.from_model(model), data)["client_work"]["eval"]
        together = [np.concatenate(parts) for parts in zip(*data, strict=True)]
        expected = model.test_on_batch(*together, return_dict=True)
        assert seen["num_examples"] == 4
        for name, value in expected.items():
            assert seen[name] == pytest.approx(float(value), rel=1e-6)


def test_training_to_large_and_small_targets_moves_the_weights():
    process = fl.build_weighted_fed_avg(one_weight, aggregator=fl.SecureSum(clip=None))
    for target in (3e5, 1e-6):
        data = [constant(target), constant(3 * target)]
        state, metrics = process.next(process.initialize(), data)
        assert state.weights.to_vector() == pytest.approx([2 * target], rel=1e-6)
        assert metrics["client_work"]["train"]["loss"] == pytest.approx(5 * target**2, rel=1e-6)


def test_what_is_clipped_is_said_in_a_warning_and_in_the_report():
    process = fl.build_weighted_fed_avg(one_weight)
    said = r"50\.00% of the coordinates of updates were clipped"
    with pytest.warns(fl.errors.SumWarning, match=said) as warned:
        state, metrics = process.next(process.initialize(), [constant(20.0), constant(1.0)])
    assert warned[0].filename == __file__  # it points at who asked for the round
    seen = metrics["aggregator"]
    assert (seen["clipped"], seen["clipped_fraction"], seen["error_bound"]) == (1, 0.5, None)
    assert state.weights.to_vector() == pytest.approx([2.5])


def test_a_gradient_is_not_clipped():
    process = fl.build_fed_sgd(one_weight, lambda: keras.optimizers.SGD(0.5))
    for target in (10.1, 1e9, 1e-9):  # the gradient is -2 · target
        state, metrics = process.next(process.initialize(), [constant(target), constant(target)])
        assert state.weights.to_vector() == pytest.approx([target], rel=1e-6)
        assert metrics["aggregator"]["clipped"] == 0


def test_first_centers_may_be_far_from_the_points():
    data = [np.float64([[19.9, -3e6]]), np.float64([[20.1, -1e6], [20.0, -2e6]])]
    for aggregator in (None, fl.SecureSum(clip=1e-3, max_weight=1), fl.PlainSum()):
        process = fl.build_fed_kmeans(1, (2,), aggregator=aggregator)
        state, metrics = process.next(process.initialize([[0.0, 0.0]]), data)
        np.testing.assert_allclose(state.centers, [[20.0, -2e6]], rtol=1e-12)
        assert metrics["aggregator"]["clipped"] == 0


def test_squares_too_large_for_float32_cost_the_mean_square_alone():
    data = [np.float64([[1e25]]), np.float64([[3.0], [5.0]])]
    process = fl.build_fed_kmeans(2, (1,))
    result = process.next(process.initialize([[0.0], [4.0]]), data)
    assert result.metrics["finalizer"]["cluster_sizes"] == [1, 2]  # 1e25 is as far from both
    assert result.metrics["client_work"]["train"] == {"mean_square": 1.0, "num_examples": 3}
    assert result.metrics["aggregator"]["non_finite"]["mean_square"] == 1


def test_a_client_beyond_max_weight_counts_for_nothing_and_that_is_said():
    process = fl.build_weighted_fed_avg(
        one_weight, aggregator=fl.SecureSum(max_weight=2), batch_size=9
    )
    data = [constant(1.0), constant(2.0), constant(3.0, 3)]
    with pytest.warns(
        fl.errors.SumWarning, match=r"1 clients .* expected a whole number in 0\.\.max_weight"
    ):
        state, metrics = process.next(process.initialize(), data)
    assert state.weights.to_vector() == pytest.approx([1.5])
    assert metrics["aggregator"]["bad_weights"] == 1
    assert metrics["client_work"]["train"]["num_examples"] == 2
