"""How a refusal of something wrong, on its way into a sum, is told from a sum."""

import re

import fl
from secagg.errors import SecAggError

UNTYPED = (
    *(TypeError, ValueError, AttributeError, IndexError, OverflowError, ZeroDivisionError),
    StopIteration,
)


def wrong(says, act):
    """An attack: whether something wrong goes on, and is not refused with an error that says so.

    `says` is None where the refusal is an answer of None, which means "not known".
    """

    def goes_on():
        try:
            result = act()
        except (fl.errors.FLError, SecAggError) as error:
            return says is None or re.search(says, str(error)) is None
        except UNTYPED:
            return True  # it does not say what was expected
        return says is not None or result is not None

    return goes_on
