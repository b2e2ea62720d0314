"""Seconds of a round of federated averaging: `python -m benchmarks.training --data-dir DIR --json`.

Four workloads on MNIST. Beside the round with a plain sum stand the compute floor (the same steps
in one bare compiled loop over all examples: no clients, no weights in or out, nothing reset) and
what a secure sum adds. Everything is measured in one process with one thread an operation, the
kinds taking turns; of wall and of CPU time the median of the repetitions is given. On a machine
that does other work the CPU time is the one to compare. With `--json` the last line is one JSON
object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import fl
from fl.client.trainer_pool import one_thread_each
from fl.experiment import model_zoo


@dataclass(frozen=True)
class Workload:
    """clients with `examples` each, one pass in batches; target: seconds that are asked for."""

    name: str
    model: str
    clients: int
    examples: int
    batch: int
    target: float


WORKLOADS = (
    Workload("softmax, 10 x 6000, batch 100", "softmax", 10, 6000, 100, 0.20),
    Workload("MLP 784-128-10, 10 x 600, batch 20", "mlp", 10, 600, 20, 0.15),
    Workload("MLP 784-128-10, 100 x 600, batch 20", "mlp", 100, 600, 20, 1.5),
    Workload("CNN 1.66 M, 10 x 100, batch 20", "cnn", 10, 100, 20, 1.0),
)
RATE = 0.05


def cohort(work: Workload, x: Any, y: Any) -> list[Any]:
    """The clients' arrays; where MNIST has too few examples, clients share some."""
    starts = [(u * work.examples) % (len(y) - work.examples + 1) for u in range(work.clients)]
    return [(x[s : s + work.examples], y[s : s + work.examples]) for s in starts]


def process(model_fn: Callable[[], Any], work: Workload, aggregator: Any, workers: int) -> Any:
    """A process for one workload."""
    return fl.build_weighted_fed_avg(
        model_fn,
        lambda: keras.optimizers.SGD(RATE),
        aggregator=aggregator,
        batch_size=work.batch,
        workers=workers,
    )


def floor(model_fn: Callable[[], Any], work: Workload, clients: list[Any]) -> Callable[[], Any]:
    """All steps of all clients in one bare compiled loop of the model's own `train_step`."""
    model = model_fn()
    model.optimizer = keras.optimizers.SGD(RATE)
    x, y = (tf.constant(np.concatenate(part)) for part in zip(*clients, strict=True))
    model.train_step((x[:2], y[:2]))
    order = tf.constant(np.random.default_rng(0).permutation(len(y)))
    steps = len(y) // work.batch

    @tf.function(autograph=False, jit_compile=False)
    def loop() -> Any:
        def body(i: Any) -> tuple[Any]:
            rows = order[i * work.batch : (i + 1) * work.batch]
            model.train_step((tf.gather(x, rows), tf.gather(y, rows)))
            return (i + 1,)

        return tf.while_loop(lambda i: i < steps, body, [tf.constant(0)])

    return loop


def measure(work: Workload, x: Any, y: Any, repetitions: int, workers: int) -> dict[str, Any]:
    """The medians of one workload: {"wall": {kind: seconds}, "cpu": {kind: seconds}, ...}."""
    clients = cohort(work, x, y)
    model_fn = model_zoo.model_fn(work.model, clients[0], 10, 0)
    plain = process(model_fn, work, fl.PlainSum(), 1)
    spread = process(model_fn, work, fl.PlainSum(), workers)
    secure = process(model_fn, work, fl.SecureSum(), 1)
    rounds: dict[str, Callable[[], Any]] = {
        "floor": floor(model_fn, work, clients),
        "plain": lambda: plain.next(plain.initialize(), clients),
        "workers": lambda: spread.next(spread.initialize(), clients),
        "secure": lambda: secure.next(secure.initialize(), clients),
    }
    for run in rounds.values():
        run()  # traced, and every buffer touched
    samples: list[dict[str, tuple[float, float]]] = []
    for _ in range(repetitions):
        samples.append({kind: timed(run) for kind, run in rounds.items()})
    result: dict[str, Any] = {"workload": work.name, "asked": work.target}
    for index, clock in enumerate(("wall", "cpu")):
        seconds = {kind: [sample[kind][index] for sample in samples] for kind in rounds}
        result[clock] = {kind: statistics.median(values) for kind, values in seconds.items()}
        pairs = zip(seconds["secure"], seconds["plain"], strict=True)
        result[clock]["secure adds"] = statistics.median(s - p for s, p in pairs)
        result[f"fastest_{clock}"] = {kind: min(values) for kind, values in seconds.items()}
    return result


def timed(run: Callable[[], Any]) -> tuple[float, float]:
    """Wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def table(results: list[dict[str, Any]], workers: int) -> str:
    """The results as Markdown: wall time, and CPU time in brackets."""
    kinds = ("plain", "workers", "floor", "secure adds")
    head = ["workload", "asked", "plain", f"{workers} workers", "floor", "secure adds"]
    rows = [head, ["---"] * len(head)]
    for result in results:
        wall, cpu = result["wall"], result["cpu"]
        cells = [f"{wall[kind]:.3f} ({cpu[kind]:.3f})" for kind in kinds]
        rows.append([result["workload"], f"{result['asked']:.2f}", *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", help="where mnist.npz is")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", type=int, nargs="*", help="workloads by number, from 0")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    options = parser.parse_args()
    one_thread_each(options.workers)
    (x, y), _ = fl.data.load("mnist", options.data_dir)
    chosen = WORKLOADS if options.only is None else [WORKLOADS[i] for i in options.only]
    results = []
    for work in chosen:
        results.append(measure(work, x, y, options.repetitions, options.workers))
        print(table(results[-1:], options.workers).splitlines()[-1], flush=True)
    print(table(results, options.workers))
    if options.json:
        load = os.getloadavg()
        print(json.dumps({"cores": os.cpu_count(), "load": load, "results": results}))


if __name__ == "__main__":
    main()
