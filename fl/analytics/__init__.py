"""Questions about numbers that clients hold, answered by secure sums.

    >>> fl.analytics.secure_mean([[70.5], [68.5], [72.5]]).value
    70.5

Modules: `questions` are the functions that users call, `inputs` how they read values, `asking` the
two halves of a session, `answers` what comes back.  May be imported from it: what is in `__all__`;
that needs no TensorFlow.  It uses `aggregators`, `data`, `errors`, `process` and
`round_message`.
"""

from fl.analytics.answers import Answer, Histogram
from fl.analytics.questions import (
    secure_histogram,
    secure_mean,
    secure_quantile,
    secure_sum,
    secure_weighted_mean,
)

__all__ = [
    "Answer",
    "Histogram",
    "secure_histogram",
    "secure_mean",
    "secure_quantile",
    "secure_sum",
    "secure_weighted_mean",
]
