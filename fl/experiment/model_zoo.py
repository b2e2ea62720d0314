"""The models that the command line offers by name: softmax, mlp, cnn, lstm; or one from a file.

    softmax   input - classes
    mlp       input - 128 - classes
    cnn       convolutions of 5×5 to 32 and to 64 - 512 - classes      of McMahan et al. 2017
    lstm      characters - 8 - 256 - characters

The optimizer that they are compiled with is for whoever trains the saved model on: in federated
training the algorithm's client brings its own.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from fl.data import shakespeare
from fl.data.clients import Arrays
from fl.errors import ModelError
from fl.experiment.names import NAMES, TEXT, check_model

Layers = list[keras.Layer]

INITIAL = ("random", "zeros")


def model_fn(
    name: str, example: Arrays, classes: int, seed: int, initial: str = "random"
) -> Callable[[], keras.Model]:
    """A function that returns a new model for examples like this one, compiled.

    name: one of NAMES, or a .keras file. example: (x, y) or (x, y, weights) of any client.
    classes: how many labels there are. seed: of the initial weights. initial: one of INITIAL;
    "zeros" is for softmax alone, for with hidden layers nothing is learned from there.

    Raises ModelError.
    """
    if initial not in INITIAL or (initial == "zeros" and name != "softmax"):
        raise ModelError(
            f"first weights {initial!r} of model {name!r}, expected {' or '.join(INITIAL)}, zeros "
            "for softmax only"
        )
    if name.endswith(".keras"):
        return lambda: from_file(Path(name))
    check_model(name)
    text = example[0].dtype.kind == "i"
    if text != (name == TEXT):
        fitting = TEXT if text else ", ".join(NAMES[:-1])
        raise ModelError(
            f"model {name!r} does not take x of {example[0].dtype}, expected {fitting}"
        )
    return lambda: _build(name, example[0].shape[1:], classes, seed, initial)


def from_file(path: Path) -> keras.Model:
    """A model that was saved by Keras, compiled as it was; for classification where it was not.

    One that was compiled without an optimizer has plain SGD, and its own loss and metrics.

    Raises ModelError for a file that is none, or that wants to run code of its own.
    """
    if path.is_dir():
        raise ModelError(
            f"{path} is a directory, expected a .keras file, such as {path}/model.keras"
        )
    try:
        model = _load(path)
    except (*_UNREADABLE, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} is not a model: {' '.join(str(error).split())[:200]}") from error
    if not model.compiled:
        probabilities = getattr(model.layers[-1], "activation", None) is keras.activations.softmax
        _compile(model, from_logits=not probabilities, text=False)
    return model


_UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError)


def _load(path: Path) -> keras.Model:
    try:
        return keras.saving.load_model(path)
    except AttributeError:  # Keras cannot load what was compiled without an optimizer
        model = keras.saving.load_model(path, compile=False)
        with zipfile.ZipFile(path) as file:
            config = json.loads(file.read("config.json")).get("compile_config")
        if config:
            config["optimizer"] = keras.optimizers.serialize(keras.optimizers.SGD())
            model.compile_from_config(config)
        return model


def _build(name: str, shape: tuple[int, ...], classes: int, seed: int, initial: str) -> keras.Model:
    keras.utils.set_random_seed(seed)  # every call gives the same initial weights
    if name == TEXT:
        layers = _lstm(classes)
    elif name == "cnn":
        layers = [*_pictures(shape), *_cnn(classes)]
    else:
        hidden = [] if name == "softmax" else [keras.layers.Dense(128, activation="relu")]
        kernel = "zeros" if initial == "zeros" else "glorot_uniform"
        last = keras.layers.Dense(classes, kernel_initializer=kernel)
        layers = [keras.layers.Flatten(), *hidden, last]
    model = keras.Sequential([keras.Input(shape), *layers], name=name)
    _compile(model, from_logits=True, text=name == TEXT)
    return model


def _compile(model: keras.Model, *, from_logits: bool, text: bool) -> None:
    # Where sequences are padded, what is padding counts neither for the loss nor for the accuracy.
    metrics = {"weighted_metrics" if text else "metrics": ["accuracy"]}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    model.compile(keras.optimizers.SGD(), loss=loss, jit_compile=False, **metrics)


def _pictures(shape: tuple[int, ...]) -> Layers:
    """Give grey pictures their channel, and rows of pixels their picture."""
    if len(shape) == 3:
        return []
    side = math.isqrt(int(np.prod(shape)))
    if side * side != np.prod(shape):
        raise ModelError(f"model 'cnn' with x of shape {shape}, expected square pictures")
    return [keras.layers.Reshape((side, side, 1))]


def _cnn(classes: int) -> Layers:
    layers: Layers = []
    for filters in (32, 64):
        convolution = keras.layers.Conv2D(filters, 5, padding="same", activation="relu")
        layers += [convolution, keras.layers.MaxPooling2D()]
    hidden = keras.layers.Dense(512, activation="relu")
    return [*layers, keras.layers.Flatten(), hidden, keras.layers.Dense(classes)]


def _lstm(classes: int) -> Layers:
    embedding = keras.layers.Embedding(shakespeare.SYMBOLS, 8)
    return [embedding, keras.layers.LSTM(256, return_sequences=True), keras.layers.Dense(classes)]
