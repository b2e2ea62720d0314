"""Which metrics add up across clients is tried, not told from their class."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import fl
from fl.client.examples import read_examples
from fl.client.local_training import LocalTrainer
from fl.model.vector import ModelWeights
from tests.helpers.small import arrays, compiled, linear, plan_for


class Regression(keras.metrics.Mean):
    """A subclass of Mean that keeps its state in its own way."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.keep(keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "float32"))


class Largest(Regression):
    def keep(self, values):
        self.total.assign(keras.ops.maximum(self.total, keras.ops.max(values)))
        self.count.assign_add(1.0)


class Latest(Regression):
    def keep(self, values):
        self.total.assign(values[-1])
        self.count.assign_add(1.0)


class Fading(Regression):
    def keep(self, values):
        self.total.assign(0.999 * self.total + 0.001 * keras.ops.mean(values))
        self.count.assign_add(1.0)


class Product(keras.metrics.Metric):
    def __init__(self, name):
        super().__init__(name=name)
        self.value = self.add_variable((), "ones")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.value.assign(self.value * 2)

    def result(self):
        return self.value


class Spread(keras.metrics.Metric):
    """Adds up, though it is of no class of Keras's: the variance of the targets."""

    def __init__(self, name="spread"):
        super().__init__(name=name)
        self.sums = self.add_variable((3,), "zeros")
        self.seen = self.add_variable((), "zeros", dtype="int32")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y = keras.ops.cast(y_true, "float32")
        parts = [keras.ops.sum(y**power) for power in range(3)]
        self.sums.assign_add(keras.ops.stack(parts))
        self.seen.assign_add(keras.ops.shape(y)[0])

    def result(self):
        n, total, squares = keras.ops.unstack(self.sums)
        return squares / n - (total / n) ** 2 + 0 * keras.ops.cast(self.seen, "float32")


class Aside(Regression):
    """Keeps a part of its state in a variable that Keras does not list."""

    def __init__(self, name):
        super().__init__(name=name)
        self.seen = tf.Variable(0.0, trainable=False, name="seen")

    def keep(self, values):
        self.total.assign_add(keras.ops.sum(values))
        self.seen.assign_add(1.0)

    def result(self):
        return self.total / self.seen


class Shared(keras.metrics.Mean):
    """Reads what another metric counts, which is summed too."""

    def __init__(self, other, name):
        super().__init__(name=name)
        self.others = [lambda: other.count]

    def result(self):
        return self.total / self.others[0]()


def scalar(metrics, scale=1.0):
    """y = w·x, and two clients whose targets are of a given size."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse", metrics=metrics, jit_compile=False)
    rng = np.random.default_rng(0)
    data = [
        (rng.normal(size=(n, 4)).astype("float32"), (rng.normal(size=(n, 1)) * scale + 1))
        for n in (9, 6)
    ]
    return model, [(x, y.astype("float32")) for x, y in data]


@pytest.mark.parametrize("kind", [Largest, Latest, Fading, Product])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e6])
def test_a_metric_that_does_not_add_up_is_refused_whatever_its_class(kind, scale):
    model, data = scalar([kind(name="mine"), "mae"], scale)
    evaluate = fl.build_fed_eval(lambda: model, aggregator=fl.PlainSum(), batch_size=4)
    weights = ModelWeights.from_model(model)
    for _ in range(2):
        with pytest.raises(fl.errors.MetricError, match=r"metric 'mine' does not add up"):
            evaluate(weights, data)


def test_a_maximum_is_refused_where_the_first_batch_leaves_it_at_zero():
    model, _ = scalar([Largest(name="mine")])
    evaluate = fl.build_fed_eval(lambda: model, aggregator=fl.PlainSum())
    negative = (np.ones((3, 4), np.float32), -np.ones((3, 1), np.float32))
    with pytest.raises(fl.errors.MetricError, match="'mine'"):
        evaluate(ModelWeights.from_model(model), [negative, negative])


def test_a_result_that_reads_another_variable_is_refused():
    model, data = scalar([Aside(name="mine"), "mae"])
    evaluate = fl.build_fed_eval(lambda: model, aggregator=fl.PlainSum())
    for _ in range(2):
        with pytest.raises(
            fl.errors.MetricError, match=r"metric 'mine': its result\(\) reads 'seen'"
        ):
            evaluate(ModelWeights.from_model(model), data)


def test_a_result_may_read_the_state_of_another_metric():
    class Model(keras.Sequential):
        def test_step(self, data):
            logs = super().test_step(data)
            for metric in (self.first, self.second):
                metric.update_state(data[1])
            return logs

    model = Model([keras.Input((4,)), keras.layers.Dense(1)])
    model.first = keras.metrics.Mean(name="first")
    model.second = Shared(model.first, name="second")
    model.compile("sgd", loss="mse", jit_compile=False)
    _, data = scalar([])
    evaluate = fl.build_fed_eval(lambda: model, aggregator=fl.PlainSum())
    seen = evaluate(ModelWeights.from_model(model), data)["client_work"]["eval"]
    assert (
        seen["second"]
        == seen["first"]
        == pytest.approx(np.concatenate([y for _, y in data]).mean(), rel=1e-5)
    )


def test_a_result_that_is_not_of_tensors_is_refused():
    class Eager(Regression):
        def keep(self, values):
            self.total.assign_add(keras.ops.sum(values))

        def result(self):
            return float(self.total)

    class Silent(keras.Sequential):
        def test_step(self, data):
            super().test_step(data)
            return {}

        def get_metrics_result(self):
            return {}

    model = Silent([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse", metrics=[Eager(name="mine")], jit_compile=False)
    _, data = scalar([])
    with pytest.raises(
        fl.errors.MetricError, match=r"metric 'mine': its result\(\) cannot be traced"
    ):
        fl.build_fed_eval(lambda: model, aggregator=fl.PlainSum())(
            ModelWeights.from_model(model), data
        )


def test_a_metric_near_the_end_of_its_dtype_is_left_open():
    """From another state it would overflow, which does not say that it does not add up."""
    model, _ = scalar(["mae"])
    evaluate = fl.build_fed_eval(lambda: model, aggregator=fl.PlainSum())
    x, y = np.ones((8, 4), np.float32), np.full((8, 1), 6e18, np.float32)
    seen = evaluate(ModelWeights.from_model(model), [(x, y), (x, 0 * y)])["client_work"]["eval"]
    assert seen["loss"] == pytest.approx(6e18**2 / 2, rel=1e-4)


@pytest.mark.parametrize("aggregator", [fl.PlainSum(), fl.SecureSum()], ids=["plain", "secure"])
def test_a_metric_of_the_users_own_that_adds_up_is_taken(aggregator):
    model, data = scalar([Spread(), "r2_score"])
    evaluate = fl.build_fed_eval(lambda: model, aggregator=aggregator, batch_size=4)
    seen = evaluate(ModelWeights.from_model(model), data)["client_work"]["eval"]
    y = np.concatenate([y for _, y in data])
    assert seen["spread"] == pytest.approx(y.var(), rel=1e-4)
    x = np.concatenate([x for x, _ in data])
    expected = model.evaluate(x, y, verbose=0, return_dict=True)
    assert seen["r2_score"] == pytest.approx(expected["r2_score"], rel=1e-4)


def test_a_metric_of_a_train_step_is_tried_too():
    class Own(keras.Sequential):
        def train_step(self, data):
            logs = super().train_step(data)
            self.largest.update_state(data[1], data[1])
            return logs

    model = Own([keras.Input((4,)), keras.layers.Dense(3)])
    model.largest = Largest(name="largest")
    trainer = LocalTrainer(compiled(model))
    with pytest.raises(fl.errors.MetricError, match="'largest'"):
        trainer.train(plan_for(trainer), 0, read_examples(arrays(9)))


def test_a_step_without_any_metric_trains():
    class Bare(keras.Sequential):
        def train_step(self, data):
            for weight in self.trainable_weights:
                weight.assign_add(keras.ops.ones_like(weight))
            return {}

        @property
        def metrics(self):
            return []

    model = Bare([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile("sgd", jit_compile=False)
    trainer = LocalTrainer(model)
    contribution = trainer.train(plan_for(trainer, epochs=1), 0, read_examples(arrays(9)))
    np.testing.assert_allclose(contribution.delta, np.full(15, 2), rtol=1e-6)
    np.testing.assert_array_equal(contribution.metrics, [9, 2])


def test_data_that_leave_it_open_do_not_settle_it():
    """A first client whose metrics are not finite says nothing, the second is tried again."""
    model, data = scalar([Largest(name="mine")])
    loop = fl.client.compiled_loop.BatchLoop(model, model.test_step)
    weights = ModelWeights.from_model(model).to_vector()
    (x, y), good = data
    infinite = read_examples((x, np.full_like(y, np.inf)))
    order, bounds = np.arange(9), np.array([0, 9])
    seeds = np.random.SeedSequence(0)
    loop.run(weights, seeds, infinite, order, bounds)
    with pytest.raises(fl.errors.MetricError, match="'mine'"):
        loop.run(weights, seeds, read_examples(good), order[:6], np.array([0, 6]))


def two_outputs():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    a = keras.layers.Dense(1, name="a")(inputs)
    b = keras.layers.Dense(3, name="b")(inputs)
    model = keras.Model(inputs, {"a": a, "b": b})
    model.compile(
        keras.optimizers.SGD(0.0),
        loss={"a": "mse", "b": linear().loss},
        loss_weights={"a": 0.5, "b": 2.0},
        metrics={"a": ["mae"], "b": ["accuracy"]},
        jit_compile=False,
    )
    return model


def test_the_loss_of_each_output_is_a_mean_over_examples():
    def data(n):
        x, y = arrays(n, seed=n)
        return x, {"a": x[:, :1] * n, "b": y}

    clients = [data(n) for n in (5, 3, 11)]
    together = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *clients)
    expected = two_outputs().test_on_batch(*together, return_dict=True)
    evaluate = fl.build_fed_eval(two_outputs, aggregator=fl.PlainSum(), batch_size=4)
    weights = ModelWeights.from_model(two_outputs())
    seen = evaluate(weights, clients)["client_work"]["eval"]
    process = fl.build_weighted_fed_avg(two_outputs, aggregator=fl.PlainSum(), batch_size=4)
    trained = process.next(process.initialize(), clients).metrics["client_work"]["train"]
    for metrics in (seen, trained):
        assert metrics["num_batches"] == 2 + 1 + 3
        assert {"a_loss", "b_loss"} <= set(expected)
        for name, value in expected.items():
            assert metrics[name] == pytest.approx(value, rel=1e-5), name
    assert seen["loss"] == pytest.approx(0.5 * seen["a_loss"] + 2 * seen["b_loss"], rel=1e-5)
