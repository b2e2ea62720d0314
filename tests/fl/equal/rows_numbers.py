"""Rows about data: how large or small numbers are, how they come, in what precision, and what is
counted."""

from functools import partial

import keras
import numpy as np

from tests.fl.equal.row import BATCH, SIZES, Row

layers, losses, metrics = keras.layers, keras.losses, keras.metrics


def sequential(*stack, inputs=(4,), loss="mse", dtype=None, metrics=(), optimizer=None, **compiled):
    """A compiled model of these layers' makers, with the same weights at every call."""
    keras.utils.set_random_seed(3)
    made = [make() for make in stack]
    model = keras.Sequential([keras.Input(inputs, dtype=dtype), *made])
    measured = [metric() for metric in metrics]
    model.compile(optimizer, loss=loss, metrics=measured, jit_compile=False, **compiled)
    return model


def net(*stack, **options):
    """optimizer -> such a model."""
    return lambda optimizer: sequential(*stack, optimizer=optimizer, **options)


def dense(units, activation=None, **options):
    return lambda: layers.Dense(units, activation, **options)


def classes(rng, n):
    x = rng.normal(size=(n, 4)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 0)


def regression(scale):
    def data(rng, n):
        x = rng.normal(size=(n, 4)).astype(np.float32)
        return x, (scale * (x[:, :1] + 1)).astype(np.float32)

    return data


def columns(rng, n):
    """Age, income, hours: as they stand in a table."""
    x = np.stack([rng.normal(40, 15, n), rng.normal(5e4, 2e4, n), rng.normal(12, 5, n)], 1)
    return x.astype(np.float32), (x[:, 0] > 40).astype(np.float32)[:, None]


def adapted():
    layer = layers.Normalization()
    layer.adapt(columns(np.random.default_rng(9), 100)[0])
    return layer


def pictures(rng, n):
    y = rng.integers(0, 3, n)
    x = rng.integers(0, 256, (n, 8, 8, 1)) * (y[:, None, None, None] + 1) / 3
    return x.astype(np.float32), y


def weighted(rng, n):
    return (*classes(rng, n), rng.uniform(0, 3, n).astype(np.float32))


def class_weights(rng, n):
    """What `fit(class_weight=...)` makes of them."""
    x, y = classes(rng, n)
    return x, y, np.array([0.5, 1.0, 4.0], np.float32)[y]


def as_batches(data):
    x, y = data
    return [(x[i : i + BATCH], y[i : i + BATCH]) for i in range(0, len(x), BATCH)]


def as_dataset(data):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(data).batch(BATCH)


def with_policy(policy, *stack, **options):
    def make(optimizer):
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            return sequential(*stack, optimizer=optimizer, **options)
        finally:
            keras.config.set_dtype_policy(before)

    return make


logits = partial(losses.SparseCategoricalCrossentropy, from_logits=True)
SOFTMAX = {"loss": logits(), "metrics": [partial(metrics.SparseCategoricalAccuracy, "accuracy")]}
BINARY = {"loss": losses.BinaryCrossentropy(from_logits=True)}
MLP = (dense(6, "relu"), dense(3))
STEEP = {"optimizer": lambda: keras.optimizers.Adam(0.01)}


class LargestError(metrics.Mean):
    """A subclass of Mean whose results do not add up."""

    def update_state(self, y, predicted, sample_weight=None):
        error = keras.ops.max(keras.ops.abs(y - predicted))
        self.total.assign(keras.ops.maximum(self.total, error))
        self.count.assign(1.0)


COUNTED = [
    partial(metrics.AUC, num_thresholds=20, from_logits=True, name="auc"),
    partial(metrics.Precision, name="precision"),
    partial(metrics.Recall, name="recall"),
    partial(metrics.BinaryAccuracy, "accuracy"),
]


def letters(rng, n):
    y = rng.integers(0, 3, n)
    return np.array(list("abc"))[y][:, None], y


def broken(rng, n):
    """The second client has an example that is no number."""
    x, y = classes(rng, n)
    if n == SIZES[1]:
        x[3, 2] = np.nan
    return x, y


NUMBERS = {
    "classification": Row(net(*MLP, **SOFTMAX), classes),
    "three passes": Row(net(*MLP, **SOFTMAX), classes, epochs=3),
    "raw columns, batch normalization first": Row(
        net(layers.BatchNormalization, dense(1), inputs=(3,), **BINARY), columns, fast=True
    ),
    "raw columns, adapted normalization": Row(
        net(adapted, dense(1), inputs=(3,), **BINARY), columns
    ),
    "raw columns, nothing": Row(net(dense(1), inputs=(3,), **BINARY), columns, **STEEP, rtol=1e-4),
    "pictures of 0..255": Row(
        net(
            lambda: layers.Conv2D(3, 3, activation="relu"),
            layers.BatchNormalization,
            layers.GlobalAveragePooling2D,
            dense(3),
            inputs=(8, 8, 1),
            **SOFTMAX,
        ),
        pictures,
        rtol=1e-4,
    ),
    "small integers, rescaled": Row(
        net(
            lambda: layers.Rescaling(1 / 255),
            layers.Flatten,
            dense(3),
            inputs=(8, 8, 1),
            dtype="uint8",
            **SOFTMAX,
        ),
        lambda rng, n: (pictures(rng, n)[0].astype(np.uint8), pictures(rng, n)[1]),
    ),
    "targets of 1e6": Row(
        net(dense(1), metrics=[metrics.MeanAbsoluteError]),
        regression(1e6),
        optimizer=lambda: keras.optimizers.Adam(0.1),
        fast=True,
    ),
    "targets of 3e5, by plain steps": Row(
        net(dense(1)),
        regression(3e5),
        optimizer=lambda: keras.optimizers.SGD(1e-6),
    ),
    "targets of 1e-6": Row(
        net(
            lambda: layers.Dense(1, kernel_initializer="zeros"), metrics=[metrics.MeanAbsoluteError]
        ),
        regression(1e-6),
        optimizer=lambda: keras.optimizers.SGD(0.3),
        atol=1e-12,
        secure={"clip": 1e-4},
    ),
    "percentages of targets that are zero": Row(
        net(dense(1), metrics=[metrics.MeanAbsolutePercentageError]),
        lambda rng, n: (classes(rng, n)[0], np.zeros((n, 1), np.float32)),
    ),
    "weights of examples": Row(net(*MLP, loss=logits(), weighted_metrics=["accuracy"]), weighted),
    "weights of classes": Row(net(*MLP, **SOFTMAX), class_weights),
    "targets without an axis": Row(
        net(dense(1)), lambda rng, n: (lambda x, y: (x, y[:, 0]))(*regression(1.0)(rng, n))
    ),
    "strings": Row(
        net(
            lambda: layers.StringLookup(vocabulary=list("abc")),
            lambda: layers.Embedding(4, 5),
            layers.Flatten,
            dense(3),
            inputs=(1,),
            dtype="string",
            **SOFTMAX,
        ),
        letters,
        fit=False,  # Keras takes no such arrays
        evaluate=False,
    ),
    "a client with a NaN": Row(net(*MLP, **SOFTMAX), broken, evaluate=False),
    "numbers of 64 bits": Row(
        net(dense(1)), lambda rng, n: tuple(a.astype(np.float64) for a in regression(1.0)(rng, n))
    ),
    "batches": Row(net(*MLP, **SOFTMAX), classes, shape=as_batches),
    "a data set": Row(net(*MLP, **SOFTMAX), classes, shape=as_dataset),
    "a dict": Row(net(*MLP, **SOFTMAX), classes, shape=lambda d: dict(zip("xy", d, strict=True))),
    "mixed_float16": Row(
        with_policy("mixed_float16", *MLP, **SOFTMAX), classes, rtol=1e-2, atol=1e-3
    ),
    "mixed_float16, a loss that overflows": Row(
        with_policy("mixed_float16", *MLP, loss=logits(), loss_weights=[100.0]),
        classes,
        fit=False,  # which skips the batches whose gradients overflow; here they are taken again
        secure={"clip": None},
    ),
    "mixed_bfloat16": Row(
        with_policy("mixed_bfloat16", *MLP, **SOFTMAX), classes, rtol=2e-2, atol=2e-3
    ),
    "float16 all through": Row(
        with_policy("float16", *MLP, loss=logits()),
        classes,
        rtol=1e-2,
        atol=2e-3,
    ),
    "float64": Row(
        with_policy("float64", *MLP, loss=logits()),
        classes,
        refused="float64, expected float weights of up to 32 bits",
    ),
    "metrics that count": Row(
        net(dense(1), **BINARY, metrics=COUNTED),
        lambda rng, n: (lambda x, y: (x, (y > 0).astype(np.float32)[:, None]))(*classes(rng, n)),
    ),
    "a metric that is the largest": Row(
        net(dense(1), metrics=[partial(LargestError, "largest")]),
        regression(1.0),
        refused="largest",
    ),
    "a loss that is a sum": Row(
        net(dense(1), loss=losses.MeanSquaredError(reduction="sum")),
        regression(1.0),
        optimizer=lambda: keras.optimizers.SGD(0.005),
        evaluate=False,  # in Keras too it depends on the batches
    ),
    "a loss over the weights of examples": Row(
        net(dense(3), loss=logits(reduction="mean_with_sample_weight")),
        weighted,
        evaluate=False,  # in Keras too it depends on the batches
    ),
}
