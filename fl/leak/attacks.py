"""Two attacks that rebuild pictures from an update, and how near they come.

    first_layer   x = (∂L/∂W)ᵢ / (∂L/∂b)ᵢ     a unit i of the first layer that one picture moved
    matching      argmin over (x, y) of ‖update(x, y) − what was seen‖²

The first is exact and needs no computing: a row of the weights' gradient of a dense layer is the
unit's error times its input, and that of the bias the error alone (Phong et al. 2017, section 3;
Geiping et al. 2020, proposition 3.1).  Where several pictures moved a unit the quotient is a blend
of them.  The second is deep leakage from gradients (Zhu et al. 2019) with L-BFGS, which here also
knows how many clients, pictures and local steps there were, and computes these steps as well.

Both know the weights, not the labels.  They return candidates; which one is nearest to the truth
only somebody who has the truth can say.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fl.leak.network import Network, Numbers

Pictures = NDArray[np.float64]

ITERATIONS = 500
SAME = 1e-12
"""A smaller mean square error counts as this: 120 dB."""


def first_layer(network: Network, update: Numbers) -> Pictures:
    """The candidates, float64[units, pixels], in [0, 1]: one for each unit whose bias moved."""
    weights, bias, _, _ = network.layers(np.asarray(update, np.float64))
    moved = bias != 0
    if not moved.any():
        return np.zeros((1, network.pixels))
    pictures: Pictures = np.clip((weights[:, moved] / bias[moved]).T, 0, 1)
    return pictures


def matching(
    network: Network,
    weights: Numbers,
    update: Numbers,
    *,
    clients: int,
    pictures: int,
    steps: int,
    rng: np.random.Generator,
) -> Pictures:
    """The pictures of all clients, float64[clients·pictures, pixels], whose mean update is nearest.

    weights: those that the clients began with. It begins with noise of `rng`.
    """
    count, pixels = clients * pictures, network.pixels
    size = float(np.linalg.norm(update)) or 1.0
    seen = tf.constant(np.asarray(update, np.float64) / size)

    @tf.function  # type: ignore[untyped-decorator]
    def distance(guess: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(guess)
            x = tf.reshape(guess[: count * pixels], (clients, pictures, pixels))
            y = tf.nn.softmax(tf.reshape(guess[count * pixels :], (clients, pictures, -1)))
            apart = network.update(weights, x, y, steps) / size - seen
            loss = tf.reduce_sum(apart * apart)
        return loss, tape.gradient(loss, guess)

    start = [rng.uniform(size=count * pixels), 0.1 * rng.normal(size=count * network.classes)]
    bounds = [(0.0, 1.0)] * (count * pixels) + [(None, None)] * (count * network.classes)
    found = import_module("scipy.optimize").minimize(
        lambda guess: [part.numpy() for part in distance(tf.constant(guess))],
        np.concatenate(start),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        # Without a tolerance: scipy's own ends the search where pictures begin to be seen.
        options={"maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS, "ftol": 0.0, "gtol": 0.0},
    )
    rebuilt: Pictures = found.x[: count * pixels].reshape(count, pixels)
    return rebuilt


def psnr(picture: Numbers, truth: Numbers) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [0, 1]: 10·log₁₀(1 / mean square error)."""
    apart = np.asarray(picture, np.float64) - np.asarray(truth, np.float64)
    return round(-10 * float(np.log10(max(float(np.mean(apart**2)), SAME))), 6)


def nearest(candidates: Pictures, truths: Numbers) -> tuple[float, Pictures, int]:
    """The best PSNR of a candidate to one of the truths, that candidate, and which truth.

    It flatters the attacker, who does not know which one that is.
    """
    apart = np.array([np.mean((np.asarray(truths) - c) ** 2, axis=1) for c in candidates])
    i, j = np.unravel_index(apart.argmin(), apart.shape)
    return psnr(candidates[i], truths[j]), candidates[i], int(j)
