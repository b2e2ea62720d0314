"""Sums of contributions: in the clear, secure, and of clipped updates.

    >>> process = fl.build_weighted_fed_avg(
    ...     model_fn, aggregator=fl.aggregators.ByNorm(fl.SecureSum(), 1.0)
    ... )

Modules: `contribution` is the interface, `plain` and `secure` the two sums, `thresholds` what
both make of a threshold, `encoding` turns contributions into ring words, `clipping` bounds their
norms, `observed` reads what an observer of a simulation saw.  May be imported from it: what is in
`__all__`.  Of `fl`, only this room uses the protocol.  It uses `errors`, `progress`, `seeds` and
`warn`.
"""

from fl.aggregators.clipping import AdaptiveNorm, ByNorm
from fl.aggregators.contribution import Aggregated, Aggregator, Contribution, Session
from fl.aggregators.observed import masked_update
from fl.aggregators.plain import PlainSum
from fl.aggregators.secure import SecureSum

__all__ = [
    "AdaptiveNorm",
    "Aggregated",
    "Aggregator",
    "ByNorm",
    "Contribution",
    "PlainSum",
    "SecureSum",
    "Session",
    "masked_update",
]
