"""Processes in which the clients of a simulation mask, made once for a whole training.

    with masking_pool(2) as pool: secagg.run(params, inputs, executor=pool)

They are spawned, because TensorFlow does not survive a fork, and import `secagg` and no TensorFlow.
The first is made when a session is large enough to be divided.

>>> with secagg.simulation.masking_pool(1) as executor:  # one worker is this process: None
...     print(executor)
None
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process


@contextmanager
def masking_pool(workers: int) -> Iterator[Executor | None]:
    """An executor of so many processes, ended with the block; None for one worker.

    Whoever uses it in a program of their own needs `if __name__ == "__main__"` there: a spawned
    process imports the program's file.
    """
    if workers == 1:
        yield None
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def kill(pool: Executor | None) -> None:
    """End the processes of a pool and of all others that this one started, whatever they do."""
    for child in active_children():
        child.kill()
    if pool is not None:
        pool.shutdown()  # gives back its semaphores, which Python would complain of


def _begin() -> None:
    """Ctrl-C reaches every process of a terminal, and is the parent's to hear; a parent that was
    killed closes no pool, and its workers would wait for jobs for good."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
