"""Each refusal of sums that no honest clients give is removed, and something wrong goes on."""

import numpy as np
import pytest

from fl.aggregators.clipping import AdaptiveNorm, ByNorm
from fl.aggregators.secure import SecureSum
from tests.helpers.breaks import Attacks
from tests.helpers.implausible import LIES, contributions, lies, session
from tests.helpers.refusals import wrong
from tests.helpers.removed import FL_ROOMS

attacks = Attacks(*FL_ROOMS["encoding"])
breaks = attacks.breaks
pytestmark = pytest.mark.filterwarnings("ignore")


def lie(name):
    """What a client tells in test_implausible."""

    def tell():
        vector, word, value, _ = LIES[name]
        with pytest.MonkeyPatch.context() as patch:
            lies(patch, vector, word, value)
            return SecureSum().aggregate(contributions(), session())

    return tell


def a_sum_beyond_the_norm():
    with pytest.MonkeyPatch.context() as patch:
        lies(patch, "update", 0, 2**16)
        return ByNorm(SecureSum(), 0.01).aggregate(contributions(), session())


def adaptive(*state):
    return lambda: AdaptiveNorm(SecureSum()).norm(state)


breaks("fl.aggregators.clipping.AdaptiveNorm.__post_init__", "not 0 <= self.quantile")(
    wrong("quantile is -1", lambda: AdaptiveNorm(SecureSum(), quantile=-1))
)
breaks("fl.aggregators.clipping.AdaptiveNorm.__post_init__", "not self.quantile <= 1")(
    wrong("quantile is 2", lambda: AdaptiveNorm(SecureSum(), quantile=2))
)
breaks("fl.aggregators.clipping.AdaptiveNorm.norm", "len(state) != 1")(
    wrong("expected one norm above 0", adaptive(np.array(1.0), np.array(2.0)))
)
breaks("fl.aggregators.clipping.AdaptiveNorm.norm", "not state[0].shape == ()")(
    wrong("expected one norm above 0", adaptive(np.array([1.0])))
)
breaks("fl.aggregators.clipping.AdaptiveNorm.norm", "not state[0] > 0")(
    wrong("expected one norm above 0", adaptive(np.array(-1.0)))
)
breaks("fl.aggregators.clipping.AdaptiveNorm.client_side", "not announced")(
    wrong(
        "no norm in the round's message",
        lambda: AdaptiveNorm(SecureSum()).client_side(session().shape_of(contributions()), ()),
    )
)
breaks(
    "fl.aggregators.clipping._check_length",
    "not length <= norm * total.weight * _FLOAT32 + math.sqrt(size) * total.rounding",
)(wrong("a sum of updates of norm", a_sum_beyond_the_norm))
breaks("fl.aggregators.clipping._check_inner", "isinstance(aggregator, ByNorm | AdaptiveNorm)")(
    wrong("does not clip by norm", lambda: ByNorm(AdaptiveNorm(SecureSum()), 1.0))
)
breaks("fl.aggregators.clipping._check_positive", "not 0 < value")(
    wrong("norm", lambda: ByNorm(SecureSum(), -1.0))
)
breaks("fl.aggregators.clipping._check_positive", "not value < math.inf")(
    wrong("norm", lambda: ByNorm(SecureSum(), np.inf))
)
breaks(
    "fl.aggregators.codings.decoding.Decoding._counts",
    "_check(counted >= 0 and all((count <= counted for count in failed)), f'more clients "
    "than the {survivors} in the sum say that something of theirs is not')",
)(wrong("more clients than", lie("more than four that are not finite")))
breaks(
    "fl.aggregators.codings.decoding.Decoding._counts",
    "_check(counted <= weight <= most, f'weights that sum to {weight}, expected "
    "{counted} to {most} of {counted} clients')",
)(wrong("weights that sum to", lie("a weight of 2^20")))
breaks(
    "fl.aggregators.codings.decoding.Decoding._counts",
    "_check(clipped <= there, f'{clipped} coordinates clipped of {there} that there are')",
)(wrong("coordinates clipped", lie("more clipped than there are")))
breaks(
    "fl.aggregators.codings.decoding.Decoding._total",
    "_check(-most <= low and high <= most, 'updates beyond the clip')",
)(wrong("updates beyond the clip", lie("update words near 2^31")))
breaks(
    "fl.aggregators.codings.decoding.Decoding._total",
    "_check(reachable and within, 'statistics beyond the range of float32')",
)(wrong("statistics beyond", lie("a statistic beyond its digits")))
breaks(
    "fl.aggregators.codings.decoding.Decoding._metrics",
    "_check(reachable and within, 'metrics beyond the range of float32')",
)(wrong("metrics beyond", lie("a loss beyond its digits")))
breaks(
    "fl.aggregators.codings.decoding.Decoding._metrics",
    "_check(within, f'a count of {metric.name!r} that {given} clients cannot reach')",
)(wrong("a count of", lie("more examples than four have")))
breaks("fl.aggregators.codings.encoding.Encoding.update", "self.clip is None")(
    wrong(None, lambda: SecureSum(clip=None).aggregate(contributions(), session()) and None)
)
breaks("fl.aggregators.codings.decoding._check", "not plausible")(
    wrong("updates beyond", lie("update words near 2^31"))
)

test_every_refusal_is_here, test_it_goes_on_if_and_only_if_the_refusal_is_gone = attacks.tests()
