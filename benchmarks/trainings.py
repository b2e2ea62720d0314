"""Whole trainings for the benchmarks of accuracy: those of `fl train`, with or without masks."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import secagg
from fl.experiment.settings import RunOptions, Settings


@contextmanager
def without_masks() -> Iterator[None]:
    """Sessions that add their inputs up in the clear: what the masked words sum to."""
    run = secagg.run

    def summed(params: secagg.Params, inputs: Mapping[int, Any], **options: Any) -> Any:
        sums = {spec.name: np.zeros(spec.length, np.uint64) for spec in params.vectors}
        for client in inputs:
            for name, words in inputs[client].items():
                sums[name] += words
        vectors = {
            spec.name: (sums[spec.name] & np.uint64(2**spec.bits - 1)).astype(spec.dtype)
            for spec in params.vectors
        }
        return SimpleNamespace(vectors=vectors, survivors=list(inputs), dropped={})

    secagg.run = summed
    try:
        yield
    finally:
        secagg.run = run


def trained(settings: Settings) -> dict[str, float]:
    """The last accuracy of a training, and what it spent."""
    from fl.experiment.training import Training

    with tempfile.TemporaryDirectory() as folder, without_masks():
        options = RunOptions(run_dir=Path(folder) / "run", evaluate_every=settings.rounds)
        lines = list(Training(settings, options))
    spent = lines[-1].get("privacy", {"epsilon": 0.0, "noise_multiplier": 0.0})
    return {
        "accuracy": lines[-1]["eval"]["accuracy"],
        "epsilon": spent["epsilon"],
        "noise_multiplier": spent["noise_multiplier"],
    }


def masked_round(settings: Settings) -> dict[str, float]:
    """Of the second round of a training, with masks: bytes that a client sends, and seconds of the
    protocol of all."""
    from fl.experiment.training import Training

    with tempfile.TemporaryDirectory() as folder:
        options = RunOptions(run_dir=Path(folder) / "run", evaluate_every=settings.rounds)
        training = Training(settings, options)
        _, line = islice(training, 2)
    return {
        "weights": training.parameters,
        "bytes": line["aggregator"]["bytes_up"],
        "seconds": line["seconds"]["protocol"],
    }


def arguments(description: str, rows: str) -> argparse.Namespace:
    """What the command line of a table of trainings says. rows: what `--only` chooses by name."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data-dir", type=Path, required=True, help="the folder of the data sets")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--json",
        type=Path,
        help="where the numbers go, and those that are there are not measured again",
    )
    parser.add_argument("--only", default="", help=f"{rows} whose name has this in it")
    parser.add_argument("--write", action="store_true", help="the table into docs/privacy.md")
    return parser.parse_args()


def measured_before(path: Path | None) -> dict[str, Any]:
    """The numbers in such a file, row by row."""
    return json.loads(path.read_text()) if path is not None and path.exists() else {}
