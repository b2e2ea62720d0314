"""What privacy costs in accuracy: `python -m benchmarks.private_training --data-dir DIR`.

MNIST by its writers, softmax regression, 50 clients a round in turn, five seeds: without noise,
with the server's noise, and with noise of the clients in 8, 12 and 16 bits. Each training is that
of `fl train` with the settings of its row; only the sums of words are formed without masks, which
cancel exactly, and a round with masks is played besides for bytes and seconds. `--write` puts the
table into docs/privacy.md.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.pages import fill, table
from benchmarks.trainings import arguments, masked_round, measured_before, trained
from fl.errors import FLError
from fl.experiment.settings import Settings

PAGE = Path(__file__).parent.parent / "docs" / "privacy.md"
EPSILONS = (3.0, 5.0, 8.0, 10.0)
BASE = Settings(
    dataset="mnist",
    partition="writer",
    model="softmax",
    initial="zeros",
    algorithm="fedavg-unweighted",
    clients_per_round=50,
    sampling="in-turn",
    client_lr=0.3,
    batch_size=20,
    rounds=30,
)
PRIVATE: dict[str, Any] = {"clip_norm": 0.5, "dp_delta": 1e-3}
CLIENTS: dict[str, Any] = {"threshold": 0.9, "corrupt": 0.0, "dp_mechanism": "skellam"}
BITS: Mapping[int, dict[str, Any]] = {
    8: {"bits": 8, "keep_coordinates": 0.02, "dp_alignment": 0.3},
    12: {"bits": 12},
    16: {"bits": 16},
}


def rows() -> Iterator[tuple[str, float | None, Settings]]:
    """(what, ε, settings) of each row."""
    yield "no noise, no clipping", None, replace(BASE, aggregator="plain")
    yield "clipped, no noise", None, replace(BASE, aggregator="plain", clip_norm=0.5)
    for epsilon in EPSILONS:
        budget = {"dp_epsilon": epsilon, **PRIVATE}
        yield "noise of the server", epsilon, replace(BASE, **budget, dp_mechanism="gaussian")
        for bits, options in BITS.items():
            name = f"noise of the clients, {bits} bits"
            yield name, epsilon, replace(BASE, **budget, **CLIENTS, **options)


def measure(settings: Settings, seeds: int, jobs: ProcessPoolExecutor) -> dict[str, Any]:
    """A row's accuracies, bytes and seconds; or why there are none."""
    trainings = [jobs.submit(trained, replace(settings, seed=seed)) for seed in range(seeds)]
    try:
        results = [training.result() for training in trainings]
        once = jobs.submit(masked_round, replace(settings, aggregator="secure")).result()
    except FLError as error:
        return {"refused": str(error)}
    return {
        "accuracies": [result["accuracy"] for result in results],
        "epsilon": max(result["epsilon"] for result in results),
        "noise_multiplier": results[0]["noise_multiplier"],
        **once,
    }


def cells(what: str, epsilon: float | None, row: dict[str, Any]) -> list[str]:
    """A row of the table."""
    budget = "" if epsilon is None else f"{epsilon:g}"
    if "refused" in row:
        return [what, budget, row["refused"], "", "", "", ""]
    accuracies = row["accuracies"]
    spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    spent = "" if epsilon is None else f"{row['epsilon']:.3f}"
    multiplier = "" if epsilon is None else f"{row['noise_multiplier']:.3f}"
    return [
        what, budget, spent, multiplier, f"{statistics.mean(accuracies):.4f} ± {spread:.4f}",
        f"{row['bytes'] / 1000:.1f}", f"{row['seconds']:.2f}",
    ]  # fmt: skip


HEAD = ["", "budget ε", "spent", "z", "accuracy", "kB a client sends", "protocol, s a round"]


def main() -> None:
    """Measure every row, print the table, and write it if asked."""
    given = arguments(__doc__.splitlines()[0], "rows")
    done: list[list[str]] = []
    measured = measured_before(given.json)
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as jobs:
        for what, epsilon, settings in rows():
            if given.only not in what:
                continue
            name = f"{what}, ε = {epsilon}"
            if name not in measured:
                settings = replace(settings, data_dir=given.data_dir)
                measured[name] = measure(settings, given.seeds, jobs)
            done.append(cells(what, epsilon, measured[name]))
            print(" | ".join(done[-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(measured, indent=1))
    if given.write:
        fill(PAGE, {"accuracy": table(HEAD, done)})


if __name__ == "__main__":
    main()
