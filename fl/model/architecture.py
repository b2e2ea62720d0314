"""The digest of a model's architecture, by which a client says which models it will train.

    digest = SHA-256(label ‖ JSON of (the model's configuration, shapes and dtypes of its weights))

The names that Keras gives models and layers count up in a process, so they are replaced by their
order. It covers no loss and no optimizer, and of a layer of one's own the name of the class alone:
what its code does is not in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import keras

from fl.errors import ModelError

_LABEL = b"fl/architecture/v1"


def model_digest(model: keras.Model) -> str:
    """The digest of a built model, in hex; the same in every process. Raises ModelError.

    >>> from fl.model.architecture import model_digest
    >>> model_digest(model_fn()) == model_digest(model_fn())
    True
    """
    try:
        configuration = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ModelError(
            f"model {model.name!r} has no configuration ({error}), expected one with get_config"
        ) from None
    configuration.pop("compile_config", None)
    order: dict[str, str] = {}
    for name in _names(configuration):
        order.setdefault(name, f"#{len(order)}")
    weights = [(list(weight.shape), str(weight.dtype)) for weight in model.weights]
    text = json.dumps([_renamed(configuration, order), weights], sort_keys=True)
    return hashlib.sha256(_LABEL + text.encode()).hexdigest()


def _names(value: Any) -> Iterator[str]:
    """The names of the model and its layers, as they come."""
    if isinstance(value, dict):
        if isinstance(name := value.get("name"), str):
            yield name
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _names(each)


def _renamed(value: Any, order: dict[str, str]) -> Any:
    """The same with every name of a layer replaced by its place."""
    if isinstance(value, dict):
        kept = value.keys() - {"shared_object_id"}
        return {key: _renamed(value[key], order) for key in kept}
    if isinstance(value, list):
        return [_renamed(each, order) for each in value]
    return order.get(value, value) if isinstance(value, str) else value
