"""Each refusal of sums that no honest clients give is removed, and something wrong goes on."""

from functools import partial

import numpy as np
import pytest

from fl.aggregators.clipping import AdaptiveNorm, ByNorm
from fl.aggregators.codings import DistributedNoise, Rotated
from fl.aggregators.codings.interface import Least
from fl.aggregators.interface import SumShape
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


def rotated(announced, coding=None, n=4):
    return (coding or Rotated()).encoding(SumShape(n, (2, 0), ()), announced, Least(n, 0))


def announce(state):
    return Rotated().announce(state)


def adaptive(*state):
    return lambda: AdaptiveNorm(SecureSum()).norm(state)


breaks("fl.aggregators.clipping.AdaptiveNorm.__post_init__", "not 0 <= self.quantile")(
    wrong("quantile is -1", lambda: AdaptiveNorm(SecureSum(), quantile=-1))
)
breaks("fl.aggregators.clipping.AdaptiveNorm.__post_init__", "not self.quantile <= 1")(
    wrong("quantile is 2", lambda: AdaptiveNorm(SecureSum(), quantile=2))
)
breaks("fl.aggregators.clipping.AdaptiveNorm.__post_init__", "not 0 <= self.count_noise")(
    wrong("count_noise is -1", lambda: AdaptiveNorm(SecureSum(), count_noise=-1.0))
)
breaks("fl.aggregators.clipping.AdaptiveNorm.__post_init__", "not self.count_noise < math.inf")(
    wrong("count_noise is inf", lambda: AdaptiveNorm(SecureSum(), count_noise=np.inf))
)
breaks("fl.aggregators.clipping.AdaptiveNorm.norm", "not state[0].shape == ()")(
    wrong("expected a norm above 0 first", adaptive(np.array([1.0])))
)
breaks("fl.aggregators.clipping.AdaptiveNorm.norm", "not state[0] > 0")(
    wrong("expected a norm above 0 first", adaptive(np.array(-1.0)))
)
breaks("fl.aggregators.clipping.AdaptiveNorm.client_side", "not announced")(
    wrong(
        "no norm in the round's message",
        lambda: AdaptiveNorm(SecureSum()).client_side(session().shape_of(contributions()), ()),
    )
)
breaks(
    "fl.aggregators.clipping._check_length",
    "not length <= norm * total.weight * FLOAT32 + math.sqrt(size) * total.rounding",
)(wrong("a sum of updates of norm", a_sum_beyond_the_norm))
breaks("fl.aggregators.clipping._check_inner", "isinstance(aggregator, ByNorm | AdaptiveNorm)")(
    wrong("does not clip by norm", lambda: ByNorm(AdaptiveNorm(SecureSum()), 1.0))
)
breaks("fl.aggregators.clipping._check_inner", "noisy")(
    wrong(
        "does not clip by norm",
        lambda: ByNorm(SecureSum(coding=DistributedNoise(norm=1.0, noise_multiplier=1.0)), 1.0),
    )
)
breaks("fl.aggregators.clipping._check_positive", "not 0 < value")(
    wrong("norm", lambda: ByNorm(SecureSum(), -1.0))
)
breaks("fl.aggregators.clipping._check_positive", "not value < math.inf")(
    wrong("norm", lambda: ByNorm(SecureSum(), np.inf))
)
breaks(
    "fl.aggregators.codings.decoding.Decoding._counts",
    "must_be_plausible(counted >= 0 and all((count <= counted for count in failed)), f'more "
    "clients than the {survivors} in the sum say that something of theirs is not')",
)(wrong("more clients than", lie("more than four that are not finite")))
breaks(
    "fl.aggregators.codings.decoding.Decoding._counts",
    "must_be_plausible(counted <= weight <= most, f'weights that sum to {weight}, expected "
    "{counted} to {most} of {counted} clients')",
)(wrong("weights that sum to", lie("a weight of 2^20")))
breaks(
    "fl.aggregators.codings.decoding.Decoding._counts",
    "must_be_plausible(clipped <= there, f'{clipped} coordinates clipped of {there} that there "
    "are')",
)(wrong("coordinates clipped", lie("more clipped than there are")))
breaks(
    "fl.aggregators.codings.clipped.ClippedCode.decode",
    "must_be_plausible(-most <= low and high <= most, 'updates beyond the clip')",
)(wrong("updates beyond the clip", lie("update words near 2^31")))
breaks(
    "fl.aggregators.codings.decoding.Decoding._exact",
    "must_be_plausible(reachable and within, 'statistics beyond the range of float32')",
)(wrong("statistics beyond", lie("a statistic beyond its digits")))
breaks(
    "fl.aggregators.codings.decoding.Decoding._metrics",
    "must_be_plausible(reachable and within, 'metrics beyond the range of float32')",
)(wrong("metrics beyond", lie("a loss beyond its digits")))
breaks(
    "fl.aggregators.codings.decoding.Decoding._metrics",
    "must_be_plausible(within, f'a count of {metric.name!r} that {given} clients cannot reach')",
)(wrong("a count of", lie("more examples than four have")))
breaks("fl.aggregators.codings.decoding.must_be_plausible", "not plausible")(
    wrong("updates beyond", lie("update words near 2^31"))
)

for check, options in {
    "not 4 <= self.bits": {"bits": 3},
    "not self.bits <= _FIRST_BITS": {"bits": 33},
    "not 0 < self.keep": {"keep": 0.0},
    "not self.keep <= 1": {"keep": 1.5},
    "not 1 <= self.times_longer <= _MARGINS": {"margin": 0.5},
    "not 0 < self.wraps < 1": {"wraps": 1.0},
}.items():
    (told,) = (f"{name}={value}" for name, value in options.items())
    breaks("fl.aggregators.codings.rotated.Rotated.__post_init__", check)(
        wrong(told, partial(Rotated, **options))
    )
for check, state in {
    "len(state) != 2": [np.array(1.0)] * 3,
    "not all((part.shape == () for part in state))": [np.zeros(2), np.array(1.0)],
}.items():
    breaks("fl.aggregators.codings.rotated.Rotated.announce", check)(
        wrong("expected a length and a number of sums", partial(announce, state))
    )
for check, announced in {
    "len(announced) != 2": (1.0,),
    "not 1 / _LENGTHS <= announced[0] <= _LENGTHS": (1e300, 1.0),
    "not 1 <= announced[1] <= _SUMS": (1.0, 0.0),
}.items():
    breaks("fl.aggregators.codings.rotated.Rotated.encoding", check)(
        wrong("in the round's message", partial(rotated, announced))
    )
breaks("fl.aggregators.codings.rotated.Rotated._room", "steps < 1")(
    wrong("bits are too few", partial(rotated, (), Rotated(bits=4), 50))
)

test_every_refusal_is_here, test_it_goes_on_if_and_only_if_the_refusal_is_gone = attacks.tests()
