"""The model that is attacked, and its local training as a function of the examples.

    logits = act(x·W1 + b1)·W2 + b2,   softmax cross-entropy,   plain steps on all examples at once

`Network.model` is an ordinary Keras model for a session; `Network.update` computes the mean of
clients' updates from pictures and labels with TensorFlow, so that an attacker can differentiate
what clients do.  `tests/fl/leak` holds the two to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fl import seeds

Activation = Literal["relu", "sigmoid"]
Numbers = NDArray[Any]


@dataclass(frozen=True)
class Network:
    """What the clients train.

    pixels, hidden, classes: sizes of the layers.
    rate: of the clients' steps.
    seed, trial: of the first weights.
    """

    activation: Activation
    pixels: int
    hidden: int = 64
    classes: int = 10
    rate: float = 0.1
    seed: int = 0
    trial: int = 0

    def model(self) -> keras.Model:
        """Built and compiled."""
        glorot = keras.initializers.GlorotUniform
        words = seeds.sequence("leak/network", self.seed, self.trial).generate_state(2)
        first, second = map(int, words)
        model = keras.Sequential(
            [
                keras.Input((self.pixels,)),
                keras.layers.Dense(self.hidden, self.activation, kernel_initializer=glorot(first)),
                keras.layers.Dense(self.classes, kernel_initializer=glorot(second)),
            ]
        )
        model.compile(
            keras.optimizers.SGD(self.rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=False,
        )
        return model

    def layers(self, vector: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """W1, b1, W2, b2 of the vector of all weights, or of an update."""
        shapes = [
            *((self.pixels, self.hidden), (self.hidden,)),
            *((self.hidden, self.classes), (self.classes,)),
        ]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        parts = np.split(vector, ends[:-1])
        w1, b1, w2, b2 = (part.reshape(s) for part, s in zip(parts, shapes, strict=True))
        return w1, b1, w2, b2

    def update(self, weights: Numbers, x: tf.Tensor, labels: tf.Tensor, steps: int) -> tf.Tensor:
        """The mean over clients of what `steps` steps change, as a vector.

        x: float64[clients, examples, pixels].
        labels: probabilities, float64[clients, examples, classes].

        Every client steps from the same weights, each on all of its examples.
        """
        start = [tf.constant(part, tf.float64)[None] for part in self.layers(weights)]
        now = [tf.repeat(part, tf.shape(x)[0], 0) for part in start]
        for _ in range(steps):
            gradients = self._gradients(now, x, labels)
            now = [part - self.rate * g for part, g in zip(now, gradients, strict=True)]
        moved = [tf.reduce_mean(a - b, 0) for a, b in zip(now, start, strict=True)]
        return tf.concat([tf.reshape(part, [-1]) for part in moved], 0)

    def _gradients(
        self, weights: list[tf.Tensor], x: tf.Tensor, labels: tf.Tensor
    ) -> list[tf.Tensor]:
        """Of each client's mean loss: c client, b example, i pixel, h hidden, o class."""
        w1, b1, w2, b2 = weights
        inner = tf.einsum("cbi,cih->cbh", x, w1) + b1[:, None]
        relu = self.activation == "relu"
        hidden = tf.nn.relu(inner) if relu else tf.sigmoid(inner)
        slope = tf.cast(inner > 0, x.dtype) if relu else hidden * (1 - hidden)
        logits = tf.einsum("cbh,cho->cbo", hidden, w2) + b2[:, None]
        of_logits = (tf.nn.softmax(logits) - labels) / tf.cast(tf.shape(x)[1], x.dtype)
        of_inner = tf.einsum("cbo,cho->cbh", of_logits, w2) * slope
        return [
            tf.einsum("cbi,cbh->cih", x, of_inner),
            tf.reduce_sum(of_inner, 1),
            tf.einsum("cbh,cbo->cho", hidden, of_logits),
            tf.reduce_sum(of_logits, 1),
        ]
