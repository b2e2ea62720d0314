"""What a secure round costs beside a plain one: `python -m benchmarks.secure_plain`.

    ratio = CPU seconds of a round with `SecureSum` / CPU seconds of the same round with `PlainSum`

Ten clients with a CNN of 1.66 million weights on the complete graph, a hundred with an MLP on the
sparse one; the examples are noise. The kinds take turns in one process, all threads count, the
medians are given. Beside them stands the protocol alone: `secagg.run` on inputs that are encoded
already. What the secure round adds beyond it is encoding, decoding, and caches that training has
filled. With `--one-thread` TensorFlow has one thread, which makes the plain round cheaper.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import fl
import secagg
from benchmarks.training import Workload, process
from fl.aggregators.contribution import Contribution
from fl.aggregators.interface import Session
from fl.client.trainer_pool import one_thread_each
from fl.experiment import model_zoo

WORKLOADS = (  # of each the secure sum; the target is a ratio
    (Workload("CNN 1.66 M, 10 x 100, complete", "cnn", 10, 100, 20, 1.35), fl.SecureSum()),
    (
        Workload("MLP 784-128-10, 100 x 600, sparse", "mlp", 100, 600, 20, 2.5),
        fl.SecureSum(corrupt=0.05, dropout=0.1),
    ),
)


def cohort(work: Workload) -> list[Any]:
    """Noise with labels."""
    rng = np.random.default_rng(0)
    shape = (work.examples, 28, 28, 1)
    return [
        (rng.random(shape, np.float32), rng.integers(0, 10, work.examples))
        for _ in range(work.clients)
    ]


def protocol(work: Workload, secure: fl.SecureSum, weights: int) -> Callable[[], Any]:
    """The session of a round alone: the parameters and inputs that the sum had, kept."""
    kept: dict[str, Any] = {}

    def keep(params: secagg.Params, inputs: Any, **options: Any) -> Any:
        kept.update(params=params, inputs=dict(inputs))
        return run(params, kept["inputs"], **options)

    rng, run = np.random.default_rng(0), secagg.run
    update = (0.01 * rng.standard_normal(weights)).astype(np.float32)
    contribution = Contribution(update, work.examples, np.zeros(4))
    session = Session(0, 0, [bytes(32)] * work.clients)
    secagg.run = keep
    try:
        secure.aggregate([contribution] * work.clients, session)
    finally:
        secagg.run = run
    return lambda: run(kept["params"], kept["inputs"])


def measure(work: Workload, secure: fl.SecureSum, repetitions: int) -> dict[str, float]:
    """Median CPU seconds of each kind."""
    clients = cohort(work)
    model_fn = model_zoo.model_fn(work.model, clients[0], 10, 0)
    plain, masked = (process(model_fn, work, a, 1) for a in (fl.PlainSum(), secure))
    state = plain.initialize()
    kinds: dict[str, Callable[[], Any]] = {
        "plain": lambda: plain.next(state, clients),
        "secure": lambda: masked.next(state, clients),
        "protocol": protocol(work, secure, state.weights.to_vector().size),
    }
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for repetition in range(repetitions + 1):
        for name, round in kinds.items():
            began = time.process_time()
            round()
            if repetition:  # the first traces, and touches every buffer
                seconds[name].append(time.process_time() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


def row(work: Workload, seconds: dict[str, float]) -> list[str]:
    """Of the table: the ratio, and what of the difference is the protocol."""
    plain, secure, alone = (seconds[name] for name in ("plain", "secure", "protocol"))
    numbers = [f"{value:.2f}" for value in (plain, secure, secure - plain, alone)]
    return [work.name, *numbers, f"{secure / plain:.2f}", f"≤ {work.target}"]


HEAD = ["workload", "plain, s", "secure, s", "secure adds", "the protocol alone", "ratio", "asked"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--one-thread", action="store_true")
    options = parser.parse_args()
    if options.one_thread:
        one_thread_each()
    print(" | ".join(HEAD))
    for work, secure in WORKLOADS:
        print(" | ".join(row(work, measure(work, secure, options.repetitions))), flush=True)


if __name__ == "__main__":
    main()
