"""Each refusal of a client's numbers is removed in turn, and then something wrong goes on."""

import numpy as np
import pytest

from fl.data import masked, reals
from tests.helpers.breaks import Attacks
from tests.helpers.refusals import wrong
from tests.helpers.removed import FL_ROOMS

attacks = Attacks(*FL_ROOMS["data"])
breaks = attacks.breaks
pytestmark = pytest.mark.filterwarnings("ignore")


breaks("fl.data.masked.refuse_masked", "_masked(value)")(
    wrong("masked values", lambda: masked.refuse_masked(np.ma.masked_less([1, 2], 2)) or "taken")
)
breaks("fl.data.reals.real_numbers", "not np.can_cast(array.dtype, np.float64)")(
    wrong("not an array of numbers", lambda: reals.real_numbers(["1", "2"]))
)
breaks("fl.data.reals.real_numbers", "(exact[large] != numbers[large]).any()")(
    wrong("integers that float64 rounds", lambda: reals.real_numbers([2**53 + 1]))
)

test_every_refusal_is_here, test_it_goes_on_if_and_only_if_the_refusal_is_gone = attacks.tests()
