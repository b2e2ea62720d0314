"""What fewer bits cost in accuracy: `python -m benchmarks.compression --data-dir DIR`.

MNIST by its writers, digits and Shakespeare, five seeds each, by the settings of `fl train`: 32
bits a coordinate, and rotated ones of fewer. Sums of words are formed without masks, which cancel
exactly; the bytes are those of the second round with masks, heads, tallies, keys and shares
included. `--write` puts the table into docs/privacy.md.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

from benchmarks.pages import fill, table
from benchmarks.private_training import PAGE
from benchmarks.trainings import arguments, masked_round, measured_before, trained
from fl.experiment.settings import Settings

DATA: Mapping[str, Settings] = {
    "digits, MLP": Settings(dataset="digits", clients=50, clients_per_round=10, rounds=30),
    "MNIST by writers, MLP": Settings(
        dataset="mnist", partition="writer", clients_per_round=10, rounds=30
    ),
    "Shakespeare, LSTM": Settings(
        dataset="shakespeare", model="lstm", clients=100, clients_per_round=10, rounds=20,
        client_lr=2.0, batch_size=4,
    ),
}  # fmt: skip
CODINGS: Mapping[str, dict[str, Any]] = {
    "32": {},
    "14, rotated": {"bits": 14, "rotate": True},
    "8, rotated": {"bits": 8, "rotate": True},
    "6, rotated": {"bits": 6, "rotate": True},
    "8, rotated, half of the coordinates": {"bits": 8, "rotate": True, "keep_coordinates": 0.5},
}
HEAD = ["", "bits", "accuracy", "difference to 32 bits", "bytes a parameter"]


def main() -> None:
    """Measure every row, print the table, and write it if asked."""
    given = arguments(__doc__.splitlines()[0], "data sets")
    rows: list[list[str]] = []
    measured = measured_before(given.json)
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as jobs:
        for name, settings in DATA.items():
            if given.only not in name:
                continue
            there = settings.dataset != "digits"
            settings = replace(settings, data_dir=given.data_dir if there else None)
            before: list[float] = []
            for coding, options in CODINGS.items():
                row = f"{name}, {coding}"
                if row not in measured:
                    measured[row] = measure(replace(settings, **options), given.seeds, jobs)
                before = before or measured[row]["accuracies"]
                rows.append([name, coding, *cells(measured[row], before)])
                print(" | ".join(rows[-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(measured, indent=1))
    if given.write:
        fill(PAGE, {"compression": table(HEAD, rows)})


def measure(settings: Settings, seeds: int, jobs: ProcessPoolExecutor) -> dict[str, Any]:
    """The accuracies, and what a round with masks sends."""
    trainings = [jobs.submit(trained, replace(settings, seed=seed)) for seed in range(seeds)]
    once = jobs.submit(masked_round, replace(settings, rounds=2))
    accuracies = [training.result()["accuracy"] for training in trainings]
    return {"accuracies": accuracies, **once.result()}


def cells(row: Mapping[str, Any], before: list[float]) -> list[str]:
    """Of a row: seed by seed, what fewer bits change."""
    accuracies = row["accuracies"]
    changes = [now - then for now, then in zip(accuracies, before, strict=True)]
    spread = statistics.stdev(changes) if len(changes) > 1 else 0.0
    return [
        f"{statistics.mean(accuracies):.4f}",
        f"{statistics.mean(changes):+.4f} ± {spread:.4f}",
        f"{row['bytes'] / row['weights']:.3f}",
    ]


if __name__ == "__main__":
    main()
