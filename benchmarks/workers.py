"""Two processes against one: `python -m benchmarks.workers`.

    speed-up = wall seconds without an executor / wall seconds with two workers
    on idle cores = CPU seconds without / (CPU of the parent + CPU of the workers / 2)

Unmasking is that of a server of 100 clients, complete graph, 30 of them gone after ShareKeys; the
simulation is a whole session of `secagg.run`, clients and server, nobody gone.  Wall seconds mean
something only on a machine that has two idle cores, so the load is given beside them, and what the
CPU seconds of both sides would come to, one after the other, on such a machine.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from functools import partial
from resource import RUSAGE_CHILDREN, getrusage

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import secagg
from benchmarks.protocol import pool_of
from secagg.keys import Transcript
from secagg.server.unmasking import Orphaned, Work, remove_masks

CPU = ("parent_cpu_s", "workers_cpu_s")
Job = Callable[[Executor | None], object]


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
    return Work(Transcript(bytes(32), bytes(32)), seeds, tuple(gone), "aes128-ctr")


def unmasking(d: int, todo: Work, executor: Executor | None) -> None:
    """The masks off a vector of d words."""
    remove_masks([np.zeros(d + 1, np.uint32)], todo, executor)


def simulation(
    params: secagg.Params, inputs: dict[int, np.ndarray], executor: Executor | None
) -> None:
    """One session, its sum checked."""
    result = secagg.run(params, inputs, executor=executor)
    if not (result.sum == sum(inputs.values())).all():
        raise SystemExit("wrong sum")


def session_of(n: int, d: int) -> Job:
    """A simulation of n clients with random words, complete graph."""
    rng = np.random.default_rng(0)
    words = {u: rng.integers(0, 2**32, d, np.uint32) for u in range(n)}
    return partial(simulation, secagg.Params(n, [secagg.VectorSpec("x", d, 32)]), words)


def timed(job: Job, workers: int, calls: int) -> dict[str, float]:
    """Wall seconds of one call with so many workers (0: no executor), CPU seconds of all."""
    before = _children()
    with ExitStack() as stack:
        pool = pool_of(workers, stack)
        own, walls = time.process_time(), [0.0]
        for _ in range(calls):
            start = time.perf_counter()
            job(pool)
            walls.append(time.perf_counter() - start)
        own = time.process_time() - own
    return {
        "wall_s": statistics.median(walls[1:] or walls),
        "parent_cpu_s": own,
        "workers_cpu_s": _children() - before,
    }


def _children() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compared(job: Job, repeats: int, calls: int) -> dict:
    """Alternating calls without an executor, with one worker, and with two."""
    runs: dict[int, list[dict[str, float]]] = {0: [], 1: [], 2: []}
    for _ in range(repeats):
        for workers, seen in runs.items():
            idle, busy = timed(job, workers, 0), timed(job, workers, calls)
            cpu = {name: (busy[name] - idle[name]) / calls for name in CPU}
            seen.append(cpu | {"wall_s": busy["wall_s"]})
    median = {
        workers: {name: statistics.median(r[name] for r in seen) for name in seen[0]}
        for workers, seen in runs.items()
    }
    two = median[2]
    return {
        "workers": median,
        "speed_up": median[0]["wall_s"] / two["wall_s"],
        "speed_up_on_idle_cores": sum(median[0][name] for name in CPU)
        / (two["parent_cpu_s"] + two["workers_cpu_s"] / 2),
        "load": os.getloadavg()[0],
    }


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--d", type=int, default=1_000_000, help="words of the vector unmasked")
    parser.add_argument("--calls", type=int, default=8, help="of the unmasking in one repeat")
    parser.add_argument("--clients", type=int, default=200, help="of the session simulated")
    parser.add_argument("--words", type=int, default=100_000, help="of a vector of that session")
    parser.add_argument("--sessions", type=int, default=3, help="in one repeat")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    todo = work(70, 30)
    removed = compared(partial(unmasking, options.d, todo), options.repeats, options.calls)
    session = session_of(options.clients, options.words)
    played = compared(session, options.repeats, options.sessions)
    print(
        json.dumps(
            {
                "unmasking": removed | {"d": options.d, "masks": len(todo)},
                "simulation": played | {"d": options.words, "n": options.clients},
            }
        )
    )


if __name__ == "__main__":
    main()
