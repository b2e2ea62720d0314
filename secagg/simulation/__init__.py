"""Many clients on one machine: where they answer, and the processes that they answer in.

    >>> with secagg.simulation.masking_pool(1) as executor:  # of one worker: this process, None
    ...     print(executor)
    None

Rooms: `setup` makes the parties of `run`, `network` is what lies between them, `workers` answers
for the clients, here or in an executor, `checks` remembers what one of them has checked; `pool`
makes such an executor, `masking_pool`.  It is for simulation: a worker sees everything that its
clients hide.  It uses `client`, `server` and what they use.
"""

from secagg.simulation.pool import masking_pool

__all__ = ["masking_pool"]
