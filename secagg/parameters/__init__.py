"""Choosing the parameters of a session: which graph, how many neighbours k, which threshold t.

    c = choose(1000, corrupt=0.05, dropout=0.1)
    c.k, c.t, c.min_roster, c.min_survivors      # the choice
    c.bounds                                     # what it must meet, and what it meets

`choose_curious_only` is for a server that is known to follow the protocol, and holds against no
other.  The derivation is docs/decisions/0002-choosing-k-and-t.md.

Modules: `tails` are exact tails of the hypergeometric distribution, `rules` what (k, t) must
satisfy for each adversary, `choice` the search for the least k, and the refusals,
`quorum` how many signatures of a quorum a client checks.  May be imported from it: what is in
`__all__`.  It uses `errors`.
"""

from secagg.parameters.choice import MAX_CLIENTS, Choice, GraphChoice, choose, choose_curious_only
from secagg.parameters.quorum import sample_bits, sample_size
from secagg.parameters.rules import (
    LEAST_GRINDING_BITS,
    LEAST_PRIVACY_BITS,
    Adversary,
    Bound,
    check_bits,
    curious_leak,
    least_ring_threshold,
    ring_leak,
)

__all__ = [
    "LEAST_GRINDING_BITS",
    "LEAST_PRIVACY_BITS",
    "MAX_CLIENTS",
    "Adversary",
    "Bound",
    "Choice",
    "GraphChoice",
    "check_bits",
    "choose",
    "choose_curious_only",
    "curious_leak",
    "least_ring_threshold",
    "ring_leak",
    "sample_bits",
    "sample_size",
]
