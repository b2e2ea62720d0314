"""Each refusal of numbers that are to be ring words is removed in turn, and a mistake goes on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from secagg import Quantizer
from secagg.exact import ExactFloats
from tests.helpers.attacks import mistaken
from tests.helpers.breaks import Attacks
from tests.helpers.removed import ARGUMENTS

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
attacks = Attacks(*ARGUMENTS["words"])
breaks = attacks.breaks


def quantizer(n: int = 3, bits: int = 16, clip: float = 1.0, **rest: Any) -> Callable[[], Any]:
    return lambda: Quantizer(n, bits, clip, **rest)


def quantized(values: Any, weight: Any = 1) -> Callable[[], Any]:
    return lambda: Quantizer(3, 16, 1.0, max_weight=2).encode(values, weight)


def exact(values: Any, weight: Any = 1) -> Callable[[], Any]:
    return lambda: ExactFloats(3, max_weight=2).encode(values, weight)


breaks("quantize.Quantizer.__post_init__", "self.n < 1")(mistaken("n=0", quantizer(n=0)))
breaks("quantize.Quantizer.__post_init__", "not 2 <= self.bits <= 64")(
    mistaken("bits=65", quantizer(bits=65))
)
breaks("quantize.Quantizer.__post_init__", "self.max_weight < 1")(
    mistaken("max_weight=0", quantizer(max_weight=0))
)
breaks("quantize.Quantizer.__post_init__", "not self.clip > 0")(
    mistaken("clip=-1.0", quantizer(clip=-1.0))
)
breaks("quantize.Quantizer.__post_init__", "not math.isfinite(self.clip)")(
    mistaken("clip=inf", quantizer(clip=np.inf))
)
breaks("quantize.Quantizer.__post_init__", "not self._reach() <= _MAX_REACH")(
    mistaken("a finite product", quantizer(clip=1e308, max_weight=2**30))
)
breaks("quantize.Quantizer.__post_init__", "not in_range")(
    mistaken("a power of two in", quantizer(bits=64, clip=1.0, scale=2.0**-1074))
)
breaks("quantize.Quantizer.__post_init__", "not math.frexp(self.scale)[0] == 0.5")(
    mistaken("a power of two", quantizer(scale=3.0))
)
breaks("quantize.Quantizer.__post_init__", "needed > self.bits")(
    mistaken("can wrap in 16 bits", quantizer(scale=2.0**15))
)
breaks("quantize.Quantizer.encode", "not isinstance(weight, int | np.integer)")(
    mistaken("integer", quantized([1.0], 0.5))
)
breaks("quantize.Quantizer.encode", "not 0 <= weight")(
    mistaken("integer in 0", quantized([1.0], -1))
)
breaks("quantize.Quantizer.encode", "not weight <= self.max_weight")(
    mistaken("integer in 0", quantized([1.0], 3))
)
breaks("quantize.Quantizer.encode", "wanted.ndim != 1")(
    mistaken("one dimension", quantized([[1.0]]))
)
breaks("quantize.Quantizer._clip", "not math.isfinite(low)")(
    mistaken("not finite", quantized([1.0, -np.inf]))
)
breaks("quantize.Quantizer._clip", "not math.isfinite(high)")(
    mistaken("not finite", quantized([1.0, np.inf]))
)
breaks("quantize.Quantizer.decode", "total.dtype != self.dtype")(
    mistaken("a sum of uint32", lambda: Quantizer(3, 16, 1.0).decode(np.zeros(1, np.uint32)))
)
breaks("quantize.Quantizer._finest_scale", "room < 1")(
    mistaken("cannot hold a sum of n=9", quantizer(n=9, bits=4))
)
breaks("quantize.Quantizer._finest_scale", "exponent < -_MAX_EXPONENT")(
    mistaken("expected at least 2\\^-1022", quantizer(n=2**15 - 1, clip=8e307, bits=16))
)
breaks("exact.ExactFloats.__post_init__", "not 1 <= self.n")(
    mistaken("n=0", lambda: ExactFloats(0))
)
breaks("exact.ExactFloats.__post_init__", "not self.n <= _MAX_CLIENTS")(
    mistaken("n in 1..2\\^32", lambda: ExactFloats(2**32 + 1))
)
breaks("exact.ExactFloats.__post_init__", "not 1 <= self.max_weight")(
    mistaken("max_weight=0", lambda: ExactFloats(3, max_weight=0))
)
breaks("exact.ExactFloats.__post_init__", "not self.max_weight <= _MAX_WEIGHT")(
    mistaken("1..2\\^29", lambda: ExactFloats(3, max_weight=2**29 + 1))
)
breaks("exact.ExactFloats.encode", "not isinstance(weight, int | np.integer)")(
    mistaken("a weight out of range", exact([1.0], 0.5))
)
breaks("exact.ExactFloats.encode", "not 0 <= weight")(
    mistaken("a weight out of range", exact([1.0], -1))
)
breaks("exact.ExactFloats.encode", "not weight <= self.max_weight")(
    mistaken("a weight out of range", exact([1.0], 3))
)
breaks("exact.ExactFloats.encode", "given.ndim != 1")(
    mistaken("one dimension", exact([[1.0, 2.0]]))
)
breaks("exact.ExactFloats.encode", "not within.all()")(
    mistaken("expected a finite float32", exact([1.0, 1e39]))
)
breaks("exact.ExactFloats._signed", "total.dtype != np.uint64")(
    mistaken("expected uint64", lambda: ExactFloats(3).decode(np.zeros(5, np.int64)))
)
breaks("exact.ExactFloats._signed", "total.size % self.words")(
    mistaken("in multiples of", lambda: ExactFloats(3).decode(np.zeros(6, np.uint64)))
)

test_every_refusal_has_its_mistake, test_a_mistake_needs_its_refusal_gone = attacks.tests()
