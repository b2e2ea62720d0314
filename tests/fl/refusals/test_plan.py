"""Each refusal of what a round tells its clients is removed, and something wrong goes on."""

from dataclasses import replace

import numpy as np
import pytest

from fl import plan, round_message
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


breaks("fl.whole_numbers.whole", "not isinstance(value, Integral)")(
    wrong("epochs is 1.5, expected a whole number of at least 1", told(epochs=1.5))
)
breaks("fl.whole_numbers.whole", "isinstance(value, bool)")(
    wrong("epochs is True", told(epochs=True))
)
breaks("fl.whole_numbers.whole", "value < least")(wrong("seed is -1", told(seed=-1)))
breaks("fl.whole_numbers.whole", "value < least")(wrong("batch_size is 0", told(batch_size=0)))
breaks("fl.plan.Terms.__post_init__", "rate is not None and (not 0 <= rate < math.inf)")(
    wrong("learning_rate is", told(learning_rate=-0.5))
)
breaks("fl.round_message.read", "not newline")(
    wrong("and a body", lambda: plan.read(plan.write(TERMS, np.zeros(0, np.float32))[:-1]))
)
breaks("fl.round_message.kind_of", "not isinstance(kind, str)")(
    wrong("a kind", lambda: round_message.kind_of(b'{"kind": 3}\n'))
)
breaks("fl.round_message.read", "received.kind != kind")(
    wrong(
        "expected 'training'",
        lambda: plan.read(plan.write(TERMS, np.zeros(3, np.float32), kind="evaluation")),
    )
)
breaks("fl.round_message._check_numbers", "type(value) is not kind")(
    wrong("whose round is a str", message(lambda m: m.replace(b'"round": 0', b'"round": "0"')))
)
breaks("fl.round_message._check_numbers", "not all(map(math.isfinite, received.announced))")(
    wrong(
        "that announces",
        message(lambda m: m.replace(b'"announced": []', b'"announced": [NaN]')),
    )
)
breaks("fl.plan.weights_in", "not isinstance(length, int)")(
    wrong("expected 4 for each", message(lambda m: m.replace(b'"length": 3', b'"length": 3.0')))
)
breaks("fl.plan.weights_in", "len(body) != 4 * length")(
    wrong("expected 4 for each", message(lambda m: m[:-4]))
)


def test_numbers_of_numpy_are_written_as_those_of_python():
    numbers = np.array([9, 7, 5])
    terms = told(batch_size=numbers[0], epochs=numbers[1], seed=numbers[2])()
    sent = plan.read(plan.write(terms, np.zeros(3, np.float32)))
    assert sent.terms == told(batch_size=9, epochs=7, seed=5)()


test_every_refusal_is_here, test_it_goes_on_if_and_only_if_the_refusal_is_gone = attacks.tests()
