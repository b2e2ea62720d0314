"""Many clients on one machine: where they answer, and the processes that they answer in.

    >>> with secagg.simulation.masking_pool(1) as executor:  # of one worker: this process, None
    ...     print(executor)
    None

Modules: `workers` answers for the clients of `run`, here or in an executor; `pool` makes such an
executor.  It is for simulation: a worker sees everything that its clients hide.  May be imported
from it: `masking_pool`, and `workers` by `run`.  It uses `client`, `errors`, `masks`, `messages`,
`roster` and `wire`.
"""

from secagg.simulation.pool import masking_pool

__all__ = ["masking_pool"]
