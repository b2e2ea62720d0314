"""docs/simulating.md from measurements: `python -m benchmarks.simulating`, half an hour and more.

Secure sums of an update of 10 000 numbers by `fl.SecureSum` in one process, with no worker besides
and with the two of `secagg.simulation.masking_pool`; then the rounds of `benchmarks.secure_plain`.
Short sums are played three times, of which the median by wall time is kept. Nothing else should run
meanwhile: the page says how busy the machine was.
"""

from __future__ import annotations

import os
import resource
import time
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

import fl
from benchmarks import pages, suite
from fl.aggregators.contribution import Contribution
from fl.aggregators.interface import Session
from secagg.parameters import choose
from secagg.simulation.pool import masking_pool

PAGE = Path("docs/simulating.md")
WISH: dict[str, Any] = {"corrupt": 0.05, "dropout": 0.1}
CLIENTS = (50, 100, 300, 1000, 3000)
GRAPHS = ("complete", "sparse")
LENGTH = 10_000


def aggregator(n: int, graph: str, executor: Executor | None) -> fl.SecureSum:
    """The sum that is measured; both graphs withstand as many corrupt and missing."""
    if graph == "sparse":
        return fl.SecureSum(**WISH, executor=executor)
    t = choose(n, **WISH, graph="complete").t
    return fl.SecureSum(threshold=t, corrupt=WISH["corrupt"], executor=executor)


def neighbours(n: int, graph: str) -> int:
    """|N(u)|; up to 50 clients both graphs are the complete one."""
    return choose(n, **WISH, graph="complete" if graph == "complete" else "auto").neighbours


def once(n: int, graph: str, workers: int) -> tuple[float, float]:
    """Wall and CPU seconds of one sum, those of its workers included; they are there before."""
    rng = np.random.default_rng(0)
    contributions = [
        Contribution(0.01 * rng.standard_normal(LENGTH).astype(np.float32), 100, np.zeros(4))
        for _ in range(n)
    ]
    session = Session(0, 0, [bytes(32)] * n)
    before = cpu()
    with masking_pool(workers) as pool:
        if pool is not None:
            list(pool.map(time.sleep, [0.5] * workers))  # both are started, and have imported
            aggregator(20, "complete", pool)
        began = time.perf_counter()
        aggregator(n, graph, pool).aggregate(contributions, session)
        wall = time.perf_counter() - began
    return wall, cpu() - before


def cpu() -> float:
    """Of this process and of its workers that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + used.ru_utime + used.ru_stime


def cell(n: int, graph: str, workers: int) -> str:
    """Wall seconds, and CPU seconds in brackets."""
    runs = sorted(once(n, graph, workers) for _ in range(3 if n <= 100 else 1))
    wall, used = runs[len(runs) // 2]
    print(f"n={n} {graph} workers={workers}: {wall:.2f} ({used:.2f})", flush=True)
    return f"{wall:.2f} ({used:.2f})" if wall < 10 else f"{wall:.0f} ({used:.0f})"


def sums() -> str:
    """A row for each number of clients and graph."""
    rows = []
    for n in CLIENTS:
        for graph in GRAPHS:
            k = neighbours(n, graph)
            masks = n * k // 2
            if graph == "sparse" and k == n - 1:
                cells = ["as above", "as above"]
            else:
                cells = [cell(n, graph, workers) for workers in (1, 2)]
            rows.append([f"{n:,}", graph, f"{k:,}", f"{masks:,}", *cells])
    head = ["clients", "graph", "k", "masks", "one worker, s", "two workers, s"]
    return pages.table(head, rows)


def rounds() -> str:
    """The table of `secure_plain`."""
    from benchmarks import secure_plain  # not above: workers import this file, and no TensorFlow

    rows = [
        secure_plain.row(work, secure_plain.measure(work, secure, 5))
        for work, secure in secure_plain.WORKLOADS
    ]
    return pages.table(secure_plain.HEAD, rows)


def machine(load: tuple[float, ...]) -> str:
    """On what, and how busy it was: the benchmark itself is in the second number."""
    return f"{suite.hardware()}. Load before: {load[0]:.1f}, after: {os.getloadavg()[0]:.1f}."


def main() -> None:
    """Measure, and fill in the blocks of the page."""
    load = os.getloadavg()
    pages.fill(PAGE, {"sums": sums(), "rounds": rounds(), "machine": machine(load)})


if __name__ == "__main__":
    main()
