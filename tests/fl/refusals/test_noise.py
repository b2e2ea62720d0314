"""Each refusal of noise that would not hide a sum is removed, and the sum goes on."""

from functools import partial

import numpy as np
import pytest

from fl.aggregators import budget
from fl.aggregators.central import CentralNoise
from fl.aggregators.clipping import AdaptiveNorm, ByNorm
from fl.aggregators.codings import DistributedNoise, Rotated
from fl.aggregators.codings.interface import Least
from fl.aggregators.interface import SumShape
from fl.aggregators.secure import SecureSum
from tests.helpers.breaks import Attacks
from tests.helpers.implausible import contributions, session
from tests.helpers.refusals import wrong
from tests.helpers.removed import FL_ROOMS

attacks = Attacks(*FL_ROOMS["noise"])
breaks = attacks.breaks
pytestmark = pytest.mark.filterwarnings("ignore")

CENTRAL = CentralNoise(ByNorm(SecureSum(), 1.0), 1.0)
NOISE = DistributedNoise(norm=1.0, noise_multiplier=1.0)
SHAPES = {
    "shape.weighted": SumShape(4, (3, 0), ()),
    "statistics": SumShape(4, (3, 1), (), weighted=False),
    "not size": SumShape(4, (0, 0), (), weighted=False),
}
"""Of sums that would tell more than noise hides."""


def central(inner=CENTRAL.aggregator, z=1.0, **options):
    return lambda: CentralNoise(inner, z, **options)


def distributed(shape=SHAPES["shape.weighted"], announced=(), least=None):
    return lambda: NOISE.encoding(shape, announced, least or Least(4, 0))


def side(half):
    return getattr(CENTRAL, half)(SHAPES["shape.weighted"])


def announce(state):
    return NOISE.announce(state)


for check, says, make in (
    (
        "not isinstance(self.aggregator, ByNorm | AdaptiveNorm)",
        "noise on a SecureSum, expected",
        central(SecureSum()),
    ),
    (
        "getattr(self.aggregator.aggregator, 'coding', None) is not None",
        "expected a sum without a coding",
        central(ByNorm(SecureSum(coding=Rotated()), 1.0)),
    ),
    ("not 0 < self.noise_multiplier", "expected a finite number above 0", central(z=-1.0)),
    ("not self.noise_multiplier < math.inf", "expected a finite number above 0", central(z=np.inf)),
    ("self.divisor is not None and self.divisor < 1", "divisor=0", central(divisor=0)),
    (
        "not self._of_update > 0",
        "count_noise below half",
        central(AdaptiveNorm(SecureSum(), count_noise=0.4)),
    ),
):
    breaks("fl.aggregators.central.CentralNoise.__post_init__", check)(wrong(says, make))
for half in ("client_side", "server_side"):
    breaks(f"fl.aggregators.central.CentralNoise.{half}", "_check(shape)")(
        wrong("under noise", partial(side, half))
    )
breaks("fl.aggregators.central.CentralNoise.aggregate", "_check(session.shape_of(contributions))")(
    wrong("under noise", lambda: CENTRAL.aggregate(contributions(), session()))
)
for check, shape in SHAPES.items():
    breaks("fl.aggregators.central._check", check)(
        wrong("under noise", partial(CENTRAL.client_side, shape))
    )
    breaks("fl.aggregators.codings.noisy.DistributedNoise.encoding", check)(
        wrong("under noise|noise covers nothing else", distributed(shape))
    )
ALONE = SumShape(4, (3, 0), (), weighted=False)
breaks("fl.aggregators.codings.noisy.DistributedNoise.encoding", "least.honest < 1")(
    wrong("no client is certain to be honest", distributed(ALONE, least=Least(2, 2)))
)
breaks("fl.aggregators.codings.noisy.DistributedNoise.encoding", "len(announced) > 1")(
    wrong("in the round's message", distributed(ALONE, announced=(1.0, 2.0)))
)
for check, options in {
    "not 0 < self.norm < math.inf": {"norm": 0.0},
    "not 0 < self.noise_multiplier < math.inf": {"noise_multiplier": np.inf},
    "not 0 < self.alignment": {"alignment": 0.0},
    "not self.alignment <= 1": {"alignment": 1.5},
    "self.divisor is not None and self.divisor < 1": {"divisor": 0},
}.items():
    (told,) = (f"{name}={value}" for name, value in options.items())
    breaks("fl.aggregators.codings.noisy.DistributedNoise.__post_init__", check)(
        wrong(told, partial(DistributedNoise, **({"norm": 1.0, "noise_multiplier": 1.0} | options)))
    )
for check, state in {
    "len(state) > 1": [np.array(1.0)] * 2,
    "not all((part.shape == () for part in state))": [np.zeros(2)],
}.items():
    breaks("fl.aggregators.codings.noisy.DistributedNoise.announce", check)(
        wrong("expected a number of sums", partial(announce, state))
    )


ASKED = {"epsilon": 8.0, "delta": 1e-3, "rounds": 2, "clients": 4, "size": 3}
breaks("fl.aggregators.budget.noise_for_budget", "rate < 1")(
    wrong(
        "expected 1: its sum tells how many",
        lambda: budget.noise_for_budget(lambda z: SecureSum(coding=NOISE), **ASKED, rate=0.5),
    )
)

test_every_refusal_is_here, test_it_goes_on_if_and_only_if_the_refusal_is_gone = attacks.tests()
