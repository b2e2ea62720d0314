"""Each refusal of what a round tells its clients is removed, and something wrong goes on."""

from dataclasses import replace

import numpy as np
import pytest

from fl import plan
from fl.plan import Terms
from tests.helpers.breaks import Attacks
from tests.helpers.refusals import wrong
from tests.helpers.removed import FL_ROOMS

attacks = Attacks(*FL_ROOMS["plan"])
breaks = attacks.breaks
pytestmark = pytest.mark.filterwarnings("ignore")


TERMS = Terms(0, 0, 8, 1, True, True, "{}")


def told(**changes):
    return lambda: replace(TERMS, **changes)


def message(change):
    return lambda: plan.read(change(plan.write(TERMS, np.zeros(3, np.float32))))


breaks("fl.plan.Terms.__post_init__", "not isinstance(self.seed, int)")(
    wrong("seed is", told(seed="1"))
)
breaks("fl.plan.Terms.__post_init__", "self.seed < 0")(wrong("seed is -1", told(seed=-1)))
breaks("fl.plan.Terms.__post_init__", "rate is not None and (not 0 <= rate < math.inf)")(
    wrong("learning_rate is", told(learning_rate=-0.5))
)
breaks("fl.plan.Terms.__post_init__", "not isinstance(value, int)")(
    wrong("epochs is", told(epochs=1.5))
)
breaks("fl.plan.Terms.__post_init__", "value < 1")(wrong("batch_size is 0", told(batch_size=0)))
breaks("fl.plan.read", "not newline")(
    wrong("0 bytes of weights", lambda: plan.read(plan.write(TERMS, np.zeros(0, np.float32))[:-1]))
)
breaks("fl.plan.read", "len(body) != 4 * length")(
    wrong("bytes of weights", message(lambda m: m[:-4]))
)

test_every_refusal_is_here, test_it_goes_on_if_and_only_if_the_refusal_is_gone = attacks.tests()
