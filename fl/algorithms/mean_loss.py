"""Whether a model's loss is the mean over the examples of a batch, which FedSGD takes it for.

    loss of (a, b) = (loss of a + loss of b) / 2

Where it is not, neither a gradient taken in batches nor one summed over clients is that of all
examples together. A reduction or a mask tells when the process is built; a loss of the user's own
is tried: of a few examples, many times each, and of all these together. A `train_step` of the
user's own is not tried, nor what a model adds to the loss in training alone.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from fl.client.examples import Examples
from fl.errors import ModelError

_MEANS = ("sum_over_batch_size", "mean")
# A sum grows with the rows: over all rows it is `_TRIED` times the mean of the rows' own losses.
# Each row is repeated `_COPIES` times, for a batch of one row may be computed differently.
_TRIED, _COPIES = 4, 16
# What is left is the rounding of a mean over the batch.
_TOLERANCE, _TOLERANCE_HALF = 1e-4, 1e-2


def check_loss(model: keras.Model) -> None:
    """Raise ModelError for a compiled loss that is no mean, or that a mask reaches."""
    for loss in keras.tree.flatten(model.loss):
        if isinstance(loss, keras.losses.Loss) and loss.reduction not in _MEANS:
            raise ModelError(
                f"FedSGD with loss {loss.name!r}, reduction={loss.reduction!r}, expected a mean "
                'over examples, reduction="sum_over_batch_size"'
            )
    _check_masks(getattr(model, "outputs", None))


def check_loss_on(model: keras.Model, examples: Examples) -> bool:
    """Raise ModelError where the loss of several examples is not the mean of their losses.

    False where the examples leave it open, because their losses are all the same or not finite.
    """
    if type(model).train_step is not keras.Model.train_step:
        return True
    _check_masks(model(_rows(examples.parts[0], [0]), training=False))
    spread = np.linspace(0, examples.count - 1, _TRIED).round().astype(int)
    tried = spread.repeat(_COPIES).reshape(_TRIED, _COPIES)
    losses = [_loss(model, examples, rows) for rows in tried.tolist()]
    together = _loss(model, examples, tried.ravel().tolist())
    if not np.isfinite([*losses, together]).all():
        return False
    if abs(together - np.mean(losses)) > _tolerance(model) * max(np.abs([*losses, together])):
        raise ModelError(
            "FedSGD with a loss that is not the mean of the losses of a batch's examples, expected "
            "such a loss, and from `add_loss` no sum over the batch"
        )
    # The copies of a single example show a sum too, unless its loss is zero.
    return len(set(losses)) > 1 or (examples.count == 1 and together != 0)


def _tolerance(model: keras.Model) -> float:
    half = any(layer.compute_dtype in ("float16", "bfloat16") for layer in model._flatten_layers())
    return _TOLERANCE_HALF if half else _TOLERANCE


def _check_masks(outputs: Any) -> None:
    if any(getattr(each, "_keras_mask", None) is not None for each in keras.tree.flatten(outputs)):
        raise ModelError(
            "FedSGD with a mask that reaches the loss, which is then a mean over what is not "
            "masked, expected a mean over examples, such as one with sample weights in place of "
            "the mask"
        )


def _loss(model: keras.Model, examples: Examples, rows: list[int]) -> float:
    model.reset_metrics()
    return float(model.test_step(_rows(examples.arrays, rows))["loss"])


def _rows(arrays: Any, rows: list[int]) -> Any:
    def take(array: Any) -> Any:
        return keras.ops.convert_to_tensor(np.take(array, rows, 0))

    return keras.tree.map_structure(take, arrays)
