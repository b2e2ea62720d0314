"""Unmasking by two processes against one: `python -m benchmarks.workers`.

    speed-up = wall seconds without an executor / wall seconds with two workers
    on idle cores = CPU seconds without / (CPU of the server + CPU of the workers / 2)

The work is that of a server of 100 clients, complete graph, 30 of them gone after ShareKeys.  Wall
seconds mean something only on a machine that has two idle cores, so the load is given beside them,
and what the CPU seconds of both sides would come to, one after the other, on such a machine.
"""

import argparse
import json
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from resource import RUSAGE_CHILDREN, getrusage

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from secagg.keys import Binding
from secagg.unmasking import Orphaned, Work, remove_masks

CPU = ("server_cpu_s", "workers_cpu_s")


def work(survivors: int, dropped: int) -> Work:
    """The masks that such a session leaves to remove."""
    keys = [X25519PrivateKey.generate() for _ in range(survivors + dropped)]
    public = [key.public_key().public_bytes_raw() for key in keys]
    peers = tuple(enumerate(public[:survivors]))
    gone = (
        Orphaned(survivors + i, keys[survivors + i].private_bytes_raw(), peers)
        for i in range(dropped)
    )
    seeds = tuple(os.urandom(24) for _ in range(survivors))
    return Work(Binding(bytes(32), bytes(32)), seeds, tuple(gone), "aes128-ctr")


def removal(d: int, todo: Work, workers: int, calls: int) -> dict[str, float]:
    """Wall seconds of one removal by so many workers (0: no executor), CPU seconds of all."""
    total = np.zeros(d + 1, np.uint32)
    before = getrusage(RUSAGE_CHILDREN).ru_utime
    with ExitStack() as stack:
        pool = None
        if workers:
            context = get_context("spawn")
            pool = stack.enter_context(ProcessPoolExecutor(workers, mp_context=context))
            list(pool.map(_import, range(8 * workers)))
        own, walls = time.process_time(), [0.0]
        for _ in range(calls):
            start = time.perf_counter()
            remove_masks([total], todo, pool)
            walls.append(time.perf_counter() - start)
        own = time.process_time() - own
    return {
        "wall_s": statistics.median(walls[1:] or walls),
        "server_cpu_s": own,
        "workers_cpu_s": getrusage(RUSAGE_CHILDREN).ru_utime - before,
    }


def _import(_: int) -> None:
    time.sleep(0.05)  # long enough for every worker to take one, and so to have imported this


def run(d: int, repeats: int, calls: int) -> dict:
    """Alternating runs without an executor, with one worker, and with two."""
    todo = work(70, 30)
    runs: dict[int, list[dict[str, float]]] = {0: [], 1: [], 2: []}
    for _ in range(repeats):
        for workers, seen in runs.items():
            idle, busy = removal(d, todo, workers, 0), removal(d, todo, workers, calls)
            cpu = {name: (busy[name] - idle[name]) / calls for name in CPU}
            seen.append(cpu | {"wall_s": busy["wall_s"]})
    median = {
        workers: {name: statistics.median(r[name] for r in seen) for name in seen[0]}
        for workers, seen in runs.items()
    }
    two = median[2]
    return {
        "d": d,
        "masks": len(todo),
        "workers": median,
        "speed_up": median[0]["wall_s"] / two["wall_s"],
        "speed_up_on_idle_cores": sum(median[0][name] for name in CPU)
        / (two["server_cpu_s"] + two["workers_cpu_s"] / 2),
        "load": os.getloadavg()[0],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--d", type=int, default=1_000_000, help="words of the vector")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--calls", type=int, default=8, help="removals in one repeat")
    options = parser.parse_args()
    print(json.dumps(run(options.d, options.repeats, options.calls)))
