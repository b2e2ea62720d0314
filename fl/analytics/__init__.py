"""Questions about numbers that clients hold, answered by secure sums.

    >>> fl.analytics.secure_mean([[70.5], [68.5], [72.5]]).value
    70.5

Modules: `questions`.  May be imported from it: what is in `__all__`.  It uses `aggregators`,
`data` and `errors`.
"""

from fl.analytics.questions import (
    Answer,
    Histogram,
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
