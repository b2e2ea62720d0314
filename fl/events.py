"""TensorBoard events of a run: the numbers of each round as scalars.

TensorFlow writes event files by itself; the package `tensorboard` is needed only to look at them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf


class Events:
    """The event file of one process, in a folder that TensorBoard is pointed at."""

    def __init__(self, folder: Path) -> None:
        self._writer = tf.summary.create_file_writer(str(folder))

    def write(self, metrics: Mapping[str, Any], parameters: int) -> None:
        """One round's metrics, at step `metrics["round"]`; `parameters` is an update's length."""
        with self._writer.as_default(step=metrics["round"]):
            for name, value in scalars(metrics, parameters):
                tf.summary.write(name, tf.constant(value, tf.float32), metadata=_SCALAR)
        self._writer.flush()

    def close(self) -> None:
        """Write what is left and close the file."""
        self._writer.close()


def scalars(metrics: Mapping[str, Any], parameters: int) -> Iterator[tuple[str, float]]:
    """What is worth a curve: (name, value)."""
    parts = {**metrics.get("client_work", {}), "eval": metrics.get("eval", {})}
    for part, values in parts.items():
        yield from ((f"{part}/{k}", v) for k, v in values.items() if isinstance(v, int | float))
    if "aggregator" in metrics:
        seen = metrics["aggregator"]
        survivors = len(seen["survivors"])
        yield from ((f"aggregator/{k}", v) for k, v in seen.items() if isinstance(v, int | float))
        yield "aggregator/survivors", survivors
        yield "aggregator/dropped", len(seen["dropped"])
        yield "aggregator/clipped_fraction", seen["clipped"] / max(survivors * parameters, 1)
    for part in ("finalizer", "seconds"):
        yield from ((f"{part}/{name}", value) for name, value in metrics.get(part, {}).items())


def _scalar_metadata() -> Any:
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "scalars"
    return metadata


_SCALAR = _scalar_metadata()
