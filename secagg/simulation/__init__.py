"""Many clients on one machine: where they answer, and the processes that they answer in.

    >>> with secagg.simulation.masking_pool(1) as executor:  # of one worker: this process, None
    ...     print(executor)
    None

Modules: `setup` makes the parties of `run`, `network` is what lies between them, `workers` answers
for the clients, here or in an executor, `checks` remembers what one of them has checked; `pool`
makes such an executor.  It is for simulation: a worker sees everything that its clients hide.  May
be imported from it: `masking_pool`, and `setup`, `network` and `workers` by `run`.  It uses
`client`, `errors`, `identity`, `keys`, `masks`, `messages`, `params`, `roster`, `server`, `sharing`
and `wire`.
"""

from secagg.simulation.pool import masking_pool

__all__ = ["masking_pool"]
