"""Who takes part: which clients a round asks, on what devices, and who drops out when.

    >>> sampler = fl.population.Uniform(2)
    >>> len(sampler.sample(["a", "b", "c"], fl.population.round_rng(1, 7, "sample")))
    2

Modules: `sampling` draws clients, `devices` says which are there, `watched_data` reads their data
one by one.  May be imported from it: what is in `__all__`.  It uses `errors` and `seeds`.
"""

from fl.population.devices import (
    Condition,
    Fleet,
    Selection,
    Status,
    at_least,
    charging,
    idle,
    select,
    unmetered,
)
from fl.population.sampling import Dropout, Fixed, InTurn, Poisson, Sampler, Uniform, round_rng

__all__ = [
    "Condition",
    "Dropout",
    "Fixed",
    "Fleet",
    "InTurn",
    "Poisson",
    "Sampler",
    "Selection",
    "Status",
    "Uniform",
    "at_least",
    "charging",
    "idle",
    "round_rng",
    "select",
    "unmetered",
]
