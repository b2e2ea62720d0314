"""Whole trainings for the benchmarks of accuracy: those of `fl train`, with or without masks."""

from __future__ import annotations

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
