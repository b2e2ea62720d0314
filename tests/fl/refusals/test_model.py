"""Each refusal of weights is removed in turn, and then something wrong goes on."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from fl.model import layout
from fl.model.vector import ModelWeights
from tests.helpers.breaks import Attacks
from tests.helpers.refusals import wrong
from tests.helpers.removed import FL_ROOMS
from tests.helpers.small import linear

attacks = Attacks(*FL_ROOMS["model"])
breaks = attacks.breaks
pytestmark = pytest.mark.filterwarnings("ignore")


def frozen(*names):
    """A model of two layers of the same shape, some of them frozen; its weights."""
    layers = [keras.layers.Dense(2, name=name, trainable=name not in names) for name in "ab"]
    return ModelWeights.from_model(keras.Sequential([keras.Input((2,)), *layers]))


def doubles():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, dtype="float64")])


breaks(
    "fl.model.vector.ModelWeights.__post_init__", "self.order and sorted(self.order) != numbers"
)(wrong("order", lambda: replace(frozen(), order=(0, 1, 2, 2))))
breaks(
    "fl.model.vector.ModelWeights.check_like",
    "len(other.order) == len(self.order) and trained != expected",
)(wrong("the others frozen", lambda: frozen("a").check_like(frozen("b")) or "taken"))
breaks("fl.model.vector.ModelWeights.split", "start != vector.size")(
    wrong("a vector of length 99", lambda: frozen().split(np.zeros(99)))
)
breaks("fl.model.vector._check_type", "not isinstance(weights, ModelWeights)")(
    wrong("expected ModelWeights", lambda: frozen().check_like(3))
)
breaks("fl.model.vector.aggregated_variables", "not trainable")(
    wrong(
        "no trainable weights",
        lambda: ModelWeights.from_model(keras.Sequential([keras.Input((2,))])),
    )
)
breaks("fl.model.vector.aggregated_variables", "variable.dtype not in _AGGREGATED_DTYPES")(
    wrong("is float64", lambda: ModelWeights.from_model(doubles()))
)
breaks("fl.model.vector.check_shapes", "seen != expected")(
    wrong("of shapes", lambda: frozen().check_like(ModelWeights.from_model(linear())) or "taken")
)
breaks("fl.model.layout.Layout.of", "non_trainable not in get_args(NonTrainable)")(
    wrong("non_trainable is 'mean'", lambda: layout.Layout.of(linear(), "mean"))
)

test_every_refusal_is_here, test_it_goes_on_if_and_only_if_the_refusal_is_gone = attacks.tests()
