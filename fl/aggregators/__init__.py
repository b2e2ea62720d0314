"""Sums of contributions: in the clear, secure, and of clipped updates.

    >>> process = fl.build_weighted_fed_avg(
    ...     model_fn, aggregator=fl.aggregators.ByNorm(fl.SecureSum(), 1.0)
    ... )

Modules: `interface` says what an aggregator is, `contribution` what goes into it, `totals` what
comes out; `plain` and `secure` are the two sums, `thresholds` what both make of a threshold; the
room `codings` turns contributions into ring words and reads sums of these; `clipping` bounds norms,
and `central` adds noise to what was clipped; `budget` finds how much of it a budget of privacy asks
for; `observed` tells what an observer of a simulation saw.
Single coordinates are clipped where they become ring words, by `secagg.Quantizer` in `codings`.
May be imported from it: what is in `__all__`.  Of `fl`, this room uses the protocol; pyproject.toml
lists what little others import of it, such as a session's parameters, which the halves of a round
in `process` hand on.

A new aggregator is a class here, with `aggregate` and for machines of their own the two sides of
`interface`, and an entry in `__all__`; for the command a name in `SUMS` of `fl.experiment.names`, a
case in `sum_of` of `fl.experiment.assembly`, and for an argument of its own a field of
`fl.experiment.settings`.

It uses `errors`, `privacy`, `progress`, `seeds` and `warn`.
"""

from fl.aggregators.budget import noise_for_budget, promised
from fl.aggregators.central import CentralNoise
from fl.aggregators.clipping import AdaptiveNorm, ByNorm
from fl.aggregators.codings import DistributedNoise, Rotated
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
    "CentralNoise",
    "Contribution",
    "DistributedNoise",
    "PlainSum",
    "Rotated",
    "SecureSum",
    "Session",
    "masked_update",
    "noise_for_budget",
    "promised",
]
