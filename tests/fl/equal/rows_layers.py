"""Rows about models: layers, inputs and outputs, constraints, masks."""

from functools import partial

import keras
import numpy as np

from tests.fl.equal.row import Row
from tests.fl.equal.rows_numbers import SOFTMAX, classes, dense, logits, net, regression, weighted

layers = keras.layers


def functional(build, loss, **compiled):
    """optimizer -> the model that `build` makes, compiled."""

    def make(optimizer):
        keras.utils.set_random_seed(4)
        model = build()
        given = {"metrics": None, **compiled}
        model.compile(optimizer, loss=loss, jit_compile=False, **given)
        return model

    return make


def two_in(mapping=False):
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b")
    joined = layers.Concatenate()([layers.Dense(3, "tanh")(a), b])
    return keras.Model({"a": a, "b": b} if mapping else (a, b), layers.Dense(3)(joined))


def two_columns(rng, n, mapping=False):
    x, y = classes(rng, n)
    parts = x, x[:, :2] ** 2
    return (dict(zip("ab", parts, strict=True)) if mapping else parts), y


def two_out():
    x = keras.Input((4,))
    hidden = layers.Dense(5, "tanh")(x)
    outputs = layers.Dense(3, name="kind")(hidden), layers.Dense(1, name="size")(hidden)
    return keras.Model(x, outputs)


def two_targets(rng, n):
    x, y = classes(rng, n)
    return x, (y, x[:, :1] * 2)


def nested():
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, "tanh"), layers.BatchNormalization()]
    )
    return keras.Sequential([keras.Input((4,)), inner, layers.Dense(3)])


def shared():
    x = keras.Input((4,))
    twice = layers.Dense(4, "tanh")
    return keras.Model(x, layers.Dense(3)(twice(twice(x))))


def shrinking():
    """Its statistics are those of raw columns, a billion times those of the data."""
    normalisation = layers.BatchNormalization(momentum=0.5)
    model = keras.Sequential([keras.Input((4,)), normalisation, layers.Dense(3)])
    normalisation.moving_mean.assign([5e4, 4e4, 1e3, 3e3])
    normalisation.moving_variance.assign([1e9, 4e8, 3.3e7, 1e6])
    return model


def frozen():
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, "tanh"), layers.BatchNormalization(), layers.Dense(3)]
    )
    model.layers[0].trainable = False
    model.layers[1].trainable = False
    return model


def lora():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5, "tanh"), layers.Dense(3)])
    model.layers[0].enable_lora(2)
    return model


def words(rng, n):
    """Sequences of at most six words, 0 where they have ended, and of which kind the first is."""
    x = rng.integers(1, 9, (n, 6))
    x[np.arange(6) >= rng.integers(2, 7, n)[:, None]] = 0
    return x, x[:, 0] % 3


def spoken(*recurrent, **options):
    embedding = partial(layers.Embedding, 9, 4, mask_zero=True)
    return net(embedding, *recurrent, inputs=(6,), dtype="int64", **options)


LAYERS = {
    "batch normalization": Row(
        net(dense(6), layers.BatchNormalization, dense(3), **SOFTMAX), classes
    ),
    "batch normalization, statistics that shrink": Row(
        functional(shrinking, logits(), metrics=["accuracy"]), classes
    ),
    "batch normalization, statistics local": Row(
        net(dense(6), layers.BatchNormalization, dense(3), **SOFTMAX),
        classes,
        options={"non_trainable": "local"},
        fit=False,
    ),
    "layer, group and spectral normalization": Row(
        net(
            dense(6),
            layers.LayerNormalization,
            lambda: layers.GroupNormalization(2),
            lambda: layers.SpectralNormalization(layers.Dense(3)),
            **SOFTMAX,
        ),
        classes,
    ),
    "constraints": Row(
        net(
            dense(6, "relu", kernel_constraint="non_neg", bias_constraint="non_neg"),
            dense(5, "relu", kernel_constraint=keras.constraints.MaxNorm(0.5)),
            dense(3, kernel_constraint="unit_norm"),
            **SOFTMAX,
        ),
        classes,
        fast=True,
    ),
    "penalties of weights and of activity": Row(
        net(
            dense(6, "relu", kernel_regularizer="l2", activity_regularizer="l1"),
            dense(3),
            **SOFTMAX,
        ),
        classes,
    ),
    "two inputs": Row(functional(two_in, logits()), two_columns),
    "two inputs by name": Row(
        functional(partial(two_in, True), logits()), partial(two_columns, mapping=True)
    ),
    "two outputs": Row(
        functional(
            two_out, [logits(), "mse"], loss_weights=[1.0, 0.5], metrics=[["accuracy"], ["mae"]]
        ),
        two_targets,
        # In Keras a mean over batches, or over examples where it knows how many when it traces.
        not_compared=("kind_loss", "size_loss"),
    ),
    "a model in a model": Row(functional(nested, logits()), classes),
    "a layer used twice": Row(functional(shared, logits()), classes),
    "frozen layers": Row(functional(frozen, logits()), classes),
    "LoRA": Row(functional(lora, logits()), classes),
    "dropout": Row(
        net(dense(8, "relu"), lambda: layers.Dropout(0.5, seed=1), dense(3), **SOFTMAX),
        classes,
        fit=False,  # its seeds are the round's
    ),
    "words that are masked, LSTM": Row(
        spoken(lambda: layers.LSTM(5), dense(3), **SOFTMAX), words, rtol=1e-4
    ),
    "words that are masked, both ways": Row(
        spoken(lambda: layers.Bidirectional(layers.GRU(3)), dense(3), **SOFTMAX), words, rtol=1e-4
    ),
    "a loss over what is not masked": Row(
        spoken(lambda: layers.LSTM(5, return_sequences=True), dense(9), loss=logits()),
        lambda rng, n: (lambda x: (x, x))(words(rng, n)[0]),
        rtol=1e-4,
        evaluate=False,  # in Keras too it depends on the batches
    ),
    "regression": Row(
        net(dense(4, "tanh"), dense(1), loss="huber", metrics=[keras.metrics.MeanAbsoluteError]),
        regression(1.0),
    ),
    "weights and two outputs": Row(
        functional(two_out, ["sparse_categorical_crossentropy", "mse"]),
        lambda rng, n: (*two_targets(rng, n), (weighted(rng, n)[2], weighted(rng, n)[2])),
        not_compared=("kind_loss", "size_loss"),
        evaluate=False,
    ),
}
