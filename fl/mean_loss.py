"""Whether a model's loss is the mean over the examples of a batch, which FedSGD takes it for.

    loss of (a, b) = (loss of a + loss of b) / 2

Where it is not, neither a gradient taken in batches nor one summed over clients is that of all
examples together. A reduction or a mask tells when the process is built; a loss of the user's own
is tried on two examples. A `train_step` of the user's own is not tried.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from fl.errors import ModelError
from fl.examples import Examples

_MEANS = ("sum_over_batch_size", "mean")
# Half precision included; a sum in place of a mean is off by its whole size.
_TOLERANCE = 0.01


def check_loss(model: Any) -> None:
    """Raise ModelError for a compiled loss that is no mean, or that a mask reaches."""
    for loss in keras.tree.flatten(model.loss):
        if isinstance(loss, keras.losses.Loss) and loss.reduction not in _MEANS:
            raise ModelError(
                f"FedSGD with loss {loss.name!r}, reduction={loss.reduction!r}: a mean over "
                'examples expected, reduction="sum_over_batch_size"'
            )
    _check_masks(getattr(model, "outputs", None))


def check_loss_on(model: Any, examples: Examples) -> None:
    """Raise ModelError where the loss of two examples is not the mean of their losses."""
    if type(model).train_step is not keras.Model.train_step:
        return
    _check_masks(model(_rows(examples.parts[0], [0]), training=False))
    first, last = [0], [examples.count - 1]
    together = _loss(model, examples, first + last)
    mean = (_loss(model, examples, first) + _loss(model, examples, last)) / 2
    if abs(together - mean) > _TOLERANCE * max(abs(together), abs(mean)):
        raise ModelError(
            "FedSGD with a loss that is not the mean of the losses of a batch's examples: such a "
            "loss expected, and from `add_loss` no sum over the batch"
        )


def _check_masks(outputs: Any) -> None:
    if any(getattr(each, "_keras_mask", None) is not None for each in keras.tree.flatten(outputs)):
        raise ModelError(
            "FedSGD with a mask that reaches the loss, which is then a mean over what is not "
            "masked: a mean over examples expected, such as one with sample weights in place of "
            "the mask"
        )


def _loss(model: Any, examples: Examples, rows: list[int]) -> float:
    model.reset_metrics()
    return float(model.test_step(_rows(examples.arrays, rows))["loss"])


def _rows(arrays: Any, rows: list[int]) -> Any:
    def take(array: Any) -> Any:
        return keras.ops.convert_to_tensor(np.take(array, rows, 0))

    return keras.tree.map_structure(take, arrays)
