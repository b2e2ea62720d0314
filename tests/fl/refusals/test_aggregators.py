"""Each refusal of what may be summed, and how, is removed, and something wrong goes on."""

import numpy as np
import pytest

import fl
from fl.aggregators import interface, observed, thresholds
from fl.aggregators.codings import Rotated
from fl.aggregators.contribution import Contribution
from fl.aggregators.secure import SecureSum
from secagg import wire
from secagg.messages import Survivors
from tests.helpers.breaks import Attacks
from tests.helpers.implausible import contributions, session
from tests.helpers.refusals import wrong
from tests.helpers.removed import FL_ROOMS

attacks = Attacks(*FL_ROOMS["aggregators"])
breaks = attacks.breaks
pytestmark = pytest.mark.filterwarnings("ignore")


def given(weight):
    return lambda: Contribution(np.zeros(1, np.float32), weight, np.zeros(0))


def summing(aggregator, **changes):
    return lambda: aggregator().aggregate(contributions(), session(**changes))


def one_of_four():
    first, *others = contributions()
    empty = (Contribution.left_out(each.sizes, malformed=False) for each in others)
    return SecureSum().aggregate([first, *empty], session()).must_hide()


def clipped_bound():
    return SecureSum(clip=0.1).aggregate(contributions(), session()).error_bound


def bound_of_some_coordinates():
    state = (np.array(1e3), np.array(1.0))
    aggregator = SecureSum(coding=Rotated(keep=0.5))
    return aggregator.aggregate(contributions(), session(state=state)).error_bound


breaks("fl.aggregators.contribution.Contribution.__post_init__", "not whole")(
    wrong("type float", given(0.5))
)
breaks("fl.aggregators.contribution.Contribution.__post_init__", "self.weight < 0")(
    wrong("negative", given(-1))
)
breaks("fl.aggregators.interface.SumShape.must_fit", "contribution.sizes != expected")(
    wrong(
        "numbers",
        lambda: SecureSum().aggregate(
            [*contributions()[:3], Contribution(np.zeros(1, np.float32), 1, np.zeros(2))],
            session(),
        ),
    )
)
breaks("fl.aggregators.totals.Totals.error_bound", "self.clipped")(wrong(None, clipped_bound))
breaks("fl.aggregators.totals.Totals.error_bound", "not math.isfinite(self.rounding)")(
    wrong(None, bound_of_some_coordinates)
)
breaks(
    "fl.aggregators.secure.SecureSum._check_coding",
    "self.coding is not None and (self.clip, self.bits) != (SecureSum.clip, SecureSum.bits)",
)(wrong("with a coding", lambda: SecureSum(coding=Rotated(), bits=16)))
breaks("fl.aggregators.interface.check_aggregator", "isinstance(aggregator, type)")(
    wrong("is the class SecureSum", lambda: interface.check_aggregator(SecureSum) or "taken")
)
breaks(
    "fl.aggregators.interface.check_aggregator",
    "not callable(getattr(aggregator, 'aggregate', None))",
)(wrong("an object with a method", lambda: interface.check_aggregator(3) or "taken"))
breaks("fl.aggregators.interface.check_dropouts", "n == 0")(
    wrong("no clients", lambda: interface.check_dropouts({}, 0))
)
breaks("fl.aggregators.interface.check_dropouts", "not isinstance(dropouts, Mapping)")(
    wrong("dropouts are", lambda: interface.check_dropouts([1], 3))
)
breaks("fl.aggregators.interface.check_dropouts", "client not in range(n)")(
    wrong("dropouts name client 3", lambda: interface.check_dropouts({3: 1}, 3))
)
breaks("fl.aggregators.interface.check_dropouts", "protocol_round not in range(5)")(
    wrong("drops out in round 5", lambda: interface.check_dropouts({1: 5}, 3))
)
breaks("fl.aggregators.interface.split", "not isinstance(aggregator, SplitAggregator)")(
    wrong("sums in one process alone", lambda: interface.split(object()) and "taken")
)
breaks("fl.aggregators.plain.PlainSum.aggregate", "finished < threshold")(
    wrong("expected at least t=3", summing(fl.PlainSum, dropouts={0: 1, 1: 1}))
)
breaks(
    "fl.aggregators.secure.SecureSum.__post_init__",
    "self.clip is not None and (not (isinstance(self.clip, SupportsFloat) and 0 < "
    "float(self.clip) < math.inf))",
)(wrong("clip=-1", lambda: SecureSum(clip=-1.0)))
breaks("fl.aggregators.secure.SecureSum.__post_init__", "self.corrupt is None")(
    wrong("without corrupt", lambda: SecureSum(dropout=0.1))
)
breaks("fl.aggregators.secure.SecureSum.__post_init__", "self.threshold is not None")(
    wrong("expected None for both", lambda: SecureSum(dropout=0.1, corrupt=1, threshold=3))
)
breaks("fl.aggregators.secure.SecureSum.__post_init__", "self.graph is not None")(
    wrong("expected None for both", lambda: SecureSum(dropout=0.1, corrupt=1, graph=4))
)
breaks(
    "fl.aggregators.totals.Aggregated.must_hide",
    "self.kind == 'secure' and self.measured and (self.counted == 1)",
)(wrong("one client alone of 4", one_of_four))
breaks("fl.aggregators.secure.SecureSum.aggregate", "n < 2")(
    wrong("one client alone", lambda: SecureSum().aggregate(contributions()[:1], session()))
)
breaks("fl.aggregators.observed._masked", "not isinstance(message, MaskedInput)")(
    wrong(None, lambda: observed.masked_update(wire.encode(Survivors((1, 2))), 3, 32))
)
breaks("fl.aggregators.thresholds.resolve_threshold", "not 1 <= t")(
    wrong("1 to 4", lambda: thresholds.resolve_threshold(0, 4))
)
breaks("fl.aggregators.thresholds.resolve_threshold", "not t <= n")(
    wrong("1 to 4", lambda: thresholds.resolve_threshold(5, 4))
)
breaks("fl.aggregators.thresholds.check_threshold", "not isinstance(threshold, float)")(
    wrong("threshold=", lambda: SecureSum(threshold="half"))
)
breaks("fl.aggregators.thresholds.check_threshold", "not 0 < threshold")(
    wrong("threshold=", lambda: SecureSum(threshold=-0.5))
)
breaks("fl.aggregators.thresholds.check_threshold", "not threshold <= 1")(
    wrong("threshold=", lambda: SecureSum(threshold=1.5))
)
breaks("fl.aggregators.secure._check_range", "not isinstance(value, int)")(
    wrong("bits=", lambda: SecureSum(bits=16.0))
)
breaks("fl.aggregators.secure._check_range", "not low <= value")(
    wrong("bits=1", lambda: SecureSum(bits=1))
)
breaks("fl.aggregators.secure._check_range", "not value <= high")(
    wrong("bits=65", lambda: SecureSum(bits=65))
)

test_every_refusal_is_here, test_it_goes_on_if_and_only_if_the_refusal_is_gone = attacks.tests()
