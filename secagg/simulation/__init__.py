"""Many clients on one machine: where they answer, and the processes that they answer in.

    >>> with secagg.simulation.masking_pool(1) as executor:  # of one worker: this process, None
    ...     print(executor)
    None

Rooms: `workers` answers for the clients of `run`, here or in an executor; `pool` makes such an
executor, `masking_pool`.  It is for simulation: a worker sees everything that its clients hide.  It
uses `client` and what that uses.
"""

from secagg.simulation.pool import masking_pool

__all__ = ["masking_pool"]
