"""Sums of contributions: in the clear, secure, and of clipped updates.

    >>> process = fl.build_weighted_fed_avg(
    ...     model_fn, aggregator=fl.aggregators.ByNorm(fl.SecureSum(), 1.0)
    ... )

Modules: `interface` says what an aggregator is, `contribution` what goes into it, `totals` what
comes out; `plain` and `secure` are the two sums, `thresholds` what both make of a threshold;
`encoding` turns contributions into ring words and `decoding` reads the sums of these; `clipping`
bounds norms; `observed` reads what an observer of a simulation saw.  May be imported from it: what
is in `__all__`.  Of `fl`, only this room uses the protocol; the halves of a round in `process` hand
on a session's parameters.  It uses `errors`, `progress`, `seeds` and `warn`.
"""

from fl.aggregators.clipping import AdaptiveNorm, ByNorm
from fl.aggregators.contribution import Contribution
from fl.aggregators.interface import Aggregator, Session
from fl.aggregators.observed import masked_update
from fl.aggregators.plain import PlainSum
from fl.aggregators.secure import SecureSum
from fl.aggregators.totals import Aggregated

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
