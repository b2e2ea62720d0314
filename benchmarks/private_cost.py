"""What noise and rotation cost a client beside the protocol: `python -m benchmarks.private_cost`.

CPU seconds for an update of a million coordinates in 16 bits, medians, beside those of the client's
five rounds, on the complete graph of 100 clients and on the sparse one of 1000. `--write` puts the
table into docs/privacy.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from time import process_time

import numpy as np

from benchmarks.pages import fill, table
from benchmarks.private_training import PAGE
from fl.privacy import NoisyEncoding, RandomBits, Rotation, fitted_encoding

D, BITS, REPETITIONS = 10**6, 16, 9
SESSIONS = {"100 clients, complete": (100, "complete"), "1000 clients, sparse": (1000, "harary")}
HEAD = ["", "rotation", "noise", "rounding and the rest", "the protocol", "rotation and noise"]


def seconds(work: Callable[[], object]) -> float:
    """The median CPU seconds of several times."""
    taken = []
    for _ in range(REPETITIONS):
        started = process_time()
        work()
        taken.append(process_time() - started)
    return statistics.median(taken)


def of_encoding(encoding: NoisyEncoding) -> tuple[float, float, float]:
    """CPU seconds of rotation, of noise, and of all of it."""
    update, source = np.random.default_rng(0).normal(size=D) / 1e3, RandomBits.from_system()
    encoding.encode(update, source)  # the table of the noise is made once
    return (
        seconds(lambda: encoding.rotation.forward(update)),
        seconds(lambda: encoding.noise.sample(D, source)),
        seconds(lambda: encoding.encode(update, source)),
    )


def of_protocol(n: int, graph: str) -> float:
    """CPU seconds of one client's five rounds."""
    words = f"-m benchmarks.protocol --n {n} --d {D} --bits {BITS} --graph {graph} --json"
    done = subprocess.run([sys.executable, *words.split()], check=True, stdout=subprocess.PIPE)
    measured = json.loads(done.stdout.splitlines()[-1])
    return float(measured["client_cpu_s"])


def main() -> None:
    """Measure, print the table, and write it if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="the table into docs/privacy.md")
    given = parser.parse_args()
    rows = []
    for name, (n, graph) in SESSIONS.items():
        encoding = fitted_encoding(
            Rotation(D, b"cost"), clip=1.0, bits=BITS, clients=n, noise_multiplier=1.0,
            missing=n // 10,
        )  # fmt: skip
        rotation, noise, encode = of_encoding(encoding)
        protocol = of_protocol(n, graph)
        times = (rotation, noise, encode - rotation - noise, protocol)
        share = (rotation + noise) / protocol
        rows.append([name, *(f"{1000 * each:.1f} ms" for each in times), f"{share:.2f}"])
        print(" | ".join(rows[-1]), flush=True)
    if given.write:
        fill(PAGE, {"cost": table(HEAD, rows)})


if __name__ == "__main__":
    main()
