"""Questions about numbers that clients hold, answered by secure sums, exactly or with noise.

    >>> fl.analytics.secure_mean([[70.5], [68.5], [72.5]]).value
    70.5

`secure_*` answer exactly, within an error bound; `private_*` with noise, by a bound of what one
client can move an answer, and say what that costs (docs/privacy-analytics.md).

Modules: `questions` and `private_questions` are the functions that users call, `inputs` how they
read values, `asking` the two halves of a session, `answers` and `private_answers` what comes back;
`bounded` is what a client answers at the most, `noise` who adds the noise, `halves` reads the noisy
counts of a quantile.  May be imported from it: what is in `__all__`; that needs no TensorFlow.  It
uses `aggregators`, `data`, `errors`, `privacy`, `process` and `round_message`.
"""

from fl.analytics.answers import Answer, Histogram
from fl.analytics.noise import ClientNoise, ServerNoise
from fl.analytics.private_answers import PrivateAnswer, PrivateHistogram, PrivateQuantile
from fl.analytics.private_questions import (
    private_histogram,
    private_mean,
    private_quantile,
    private_sum,
)
from fl.analytics.questions import (
    secure_histogram,
    secure_mean,
    secure_quantile,
    secure_sum,
    secure_weighted_mean,
)

__all__ = [
    "Answer",
    "ClientNoise",
    "Histogram",
    "PrivateAnswer",
    "PrivateHistogram",
    "PrivateQuantile",
    "ServerNoise",
    "private_histogram",
    "private_mean",
    "private_quantile",
    "private_sum",
    "secure_histogram",
    "secure_mean",
    "secure_quantile",
    "secure_sum",
    "secure_weighted_mean",
]
