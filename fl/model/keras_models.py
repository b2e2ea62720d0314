"""From the user's `model_fn` to a built, compiled model with the client's optimizer.

No method of the user's model is replaced. This module does not train.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from fl import tff
from fl.errors import ModelError
from fl.model.optimizers import fresh, unused
from fl.model.vector import ModelWeights

ModelFn = Callable[[], keras.Model]
"""Returns a built, compiled model."""

OptimizerFn = Callable[[], keras.optimizers.Optimizer]
"""Returns a new optimizer."""

InputSpec = Any
"""(x, y) in `tf.TensorSpec`s, or x alone; None for a model that is built."""


@tff.refuses_tff_arguments
def from_keras_model(
    model: keras.Model, loss: Any, metrics: Any = None, input_spec: Any = None
) -> keras.Model:
    """Compile a Keras model for federated learning, without an optimizer.

    For those who come from TensorFlow Federated: return the result from `model_fn` and give
    `client_optimizer_fn` to the builder. `input_spec` is (x, y) in `tf.TensorSpec`s, or x alone,
    the batch axis first; it is needed only for a model that is not built. Raises ModelError.

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    >>> fl.from_keras_model(model, loss, metrics=["accuracy"]).compiled
    True
    """
    if any(isinstance(metric, tf.TensorSpec) for metric in keras.tree.flatten(metrics)):
        raise ModelError("metrics are tf.TensorSpecs, expected metrics, and input_spec by its name")
    build(model, input_spec)
    # Without this, `compile` would silently pick RMSprop for the client.
    model.compile(optimizer=None, loss=loss, metrics=metrics, jit_compile=False)
    return model


def build(model: keras.Model, input_spec: Any = None) -> None:
    """Make sure that a model has its weights. Raises ModelError."""
    if not isinstance(model, keras.Model):
        raise ModelError(f"model_fn returned {type(model).__name__}, expected a keras.Model")
    if model.built:
        return
    if input_spec is None:
        raise ModelError(
            f"model {model.name!r} is not built, expected keras.Input(...) first or input_spec"
        )
    x_spec = input_spec[0] if isinstance(input_spec, tuple | list) else input_spec
    model(keras.tree.map_structure(_zeros, x_spec))


def client_model(
    model_fn: ModelFn, client_optimizer_fn: OptimizerFn | None, input_spec: Any = None
) -> tuple[keras.Model, Any]:
    """Call `model_fn`; its model, and the client's optimizer, fresh. Raises ModelError.

    The optimizer that the model has is left as it is.
    """
    model = evaluation_model(model_fn, input_spec)
    if client_optimizer_fn is not None:
        return model, _client_optimizer(client_optimizer_fn, model)
    if model.optimizer is None:
        raise ModelError(
            f"model {model.name!r} has no optimizer, expected one, or client_optimizer_fn"
        )
    return model, fresh(model.optimizer)


def evaluation_model(model_fn: ModelFn, input_spec: Any = None) -> keras.Model:
    """Call `model_fn`; a built and compiled model comes back. Raises ModelError."""
    if isinstance(model_fn, keras.Model):
        raise ModelError("model_fn is a model, expected a function that returns one")
    if not callable(model_fn):
        raise ModelError(f"model_fn is {model_fn!r}, expected a function that returns a model")
    model = model_fn()
    build(model, input_spec)
    if not model.compiled:
        raise ModelError(
            f"model {model.name!r} is not compiled, expected model.compile or fl.from_keras_model"
        )
    return model


def weights_of(given: Any) -> ModelWeights:
    """Weights as they are, or those of a built Keras model. Raises ModelError."""
    if isinstance(given, keras.Model):
        return ModelWeights.from_model(given)
    if not isinstance(given, ModelWeights):
        raise ModelError(
            f"weights of type {type(given).__name__}, expected fl.ModelWeights, such as "
            "state.weights, or a keras.Model"
        )
    return given


def ordinary_model(model: keras.Model, in_use: bool) -> keras.Model:
    """A compiled model that can be saved, loaded, evaluated and trained on by Keras alone.

    One that was compiled without an optimizer gets plain SGD: what was saved without one, Keras
    cannot load. in_use: a copy is made, compiled as the model was, and the model is left alone.
    Raises ModelError where Keras cannot copy it.
    """
    options = dict(model._compile_config.config)  # what `compile` was given
    optimizer = options.pop("optimizer")
    if in_use:
        model, options = _copied(model), copy.deepcopy(options)
    if in_use or optimizer is None or optimizer.built:
        new = keras.optimizers.SGD() if optimizer is None else unused(optimizer)
        model.compile(optimizer=new, **options)
    # Saved before, it would lack the variables that Keras misses when it loads the file.
    model.optimizer.build(model.trainable_variables)
    return model


def new_optimizer(optimizer_fn: OptimizerFn, name: str) -> Any:
    """Call an optimizer function; a fresh Keras optimizer comes back. Raises ModelError."""
    if not callable(optimizer_fn):
        seen = type(optimizer_fn).__name__
        raise ModelError(
            f"{name} is an instance of {seen}, expected a function that returns a new optimizer, "
            "such as lambda: keras.optimizers.SGD(0.1)"
        )
    optimizer = optimizer_fn()
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise ModelError(
            f"{name} returned {type(optimizer).__name__}, expected a keras.optimizers.Optimizer"
        )
    if optimizer.built:
        raise ModelError(
            f"{name} returned an optimizer already in use, expected a new one each time"
        )
    return optimizer


def _client_optimizer(optimizer_fn: OptimizerFn, model: keras.Model) -> Any:
    optimizer = new_optimizer(optimizer_fn, "client_optimizer_fn")
    # As `compile` does: half-precision gradients vanish unless the loss is scaled.
    half = model.dtype_policy.name == "mixed_float16"
    wanted = model._compile_config.config.get("auto_scale_loss", True)
    if not (half and wanted) or isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)


def _copied(model: keras.Model) -> keras.Model:
    """The same layers and weights, not compiled.

    `copy.deepcopy` would give it the variables of the optimizer that it has now, which need not be
    the one that it was compiled with.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        try:  # safe_mode=False: the file was written one line above
            return keras.saving.load_model(path, compile=False, safe_mode=False)
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"model_fn returns one model {model.name!r} again and again, which Keras cannot "
                "copy, expected a function that returns a new one each time"
            ) from error


def _zeros(spec: Any) -> Any:
    shape = [1 if size is None else size for size in spec.shape]
    return tf.zeros(shape, spec.dtype)
