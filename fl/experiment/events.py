"""TensorBoard events of a run: the numbers of each round as scalars, each round once.

TensorFlow writes event files by itself; the package `tensorboard` is needed only to look at them.
A run that goes on writes a file of its own. What older files say of the rounds that come again is
cut off, and a TensorBoard that has read it already is told to drop it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf

from fl.experiment.metrics import RunLine
from fl.process.reports import RoundMetrics

_NAME = "events.out.tfevents."
_FRAME = 16  # bytes of a record besides the event: its length and two checksums


class Events:
    """The event file of one process, in a folder that TensorBoard is pointed at.

    first: the round that will be written first.

    Raises OSError where nothing can be written.

    >>> process = fl.build_weighted_fed_avg(model_fn)
    >>> events = fl.experiment.Events(tmp_path / "logs")
    >>> events.write(process.next(process.initialize(), clients).metrics)
    >>> events.close()
    """

    def __init__(self, folder: str | Path, first: int = 1) -> None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads the files of a folder in the order of their names.
        path = folder / f"{_NAME}{time.time_ns()}.fl"
        with _as_os_error():
            self._writer = tf.io.TFRecordWriter(str(path))
        self._write(file_version="brain.Event:2")
        started = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        self._write(session_log=started, step=first)  # TensorBoard drops this round and later ones

    def write(self, metrics: RunLine | RoundMetrics) -> None:
        """One round's metrics, as `next` gives them, at step `metrics["round"]`. Raises OSError."""
        values = [_value(name, number) for name, number in scalars(metrics)]
        self._write(summary=tf.compat.v1.Summary(value=values), step=metrics["round"])

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def _write(self, **fields: object) -> None:
        event = tf.compat.v1.Event(wall_time=time.time(), **fields)
        with _as_os_error():
            self._writer.write(event.SerializeToString())
            self._writer.flush()


def keep_rounds(folder: Path, rounds: int) -> None:
    """Cut off what the event files of a folder say of later rounds. Raises OSError."""
    for path in folder.glob(f"{_NAME}*"):
        with _as_os_error():
            end = _end(path, rounds)
        if end < path.stat().st_size:
            os.truncate(path, end)


def _end(path: Path, rounds: int) -> int:
    """Where the events of these rounds end: a file's steps only go up."""
    end = 0
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            if tf.compat.v1.Event.FromString(record).step > rounds:
                break
            end += _FRAME + len(record)
    except tf.errors.DataLossError:
        pass  # a record that was cut off when the process was killed
    return end


def scalars(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """What is worth a curve: (name, value)."""
    work = metrics.get("client_work", {})
    parts = {"train": work.get("train", {}), "eval": metrics.get("eval", work.get("eval", {}))}
    for part, values in parts.items():
        yield from ((f"{part}/{k}", v) for k, v in values.items() if isinstance(v, int | float))
    if "aggregator" in metrics:
        summed = metrics["aggregator"]
        numbers = {k: v for k, v in summed.items() if isinstance(v, int | float)}
        yield from ((f"aggregator/{name}", number) for name, number in numbers.items())
        yield "aggregator/survivors", len(summed["survivors"])
        yield "aggregator/dropped", len(summed["dropped"])
        yield from ((f"aggregator/non_finite/{k}", v) for k, v in summed["non_finite"].items())
    others: dict[str, Any] = {part: metrics.get(part, {}) for part in ("finalizer", "seconds")}
    for part, named in others.items():
        yield from ((f"{part}/{k}", v) for k, v in named.items() if isinstance(v, int | float))


def _value(name: str, number: float) -> tf.compat.v1.Summary.Value:
    tensor = tf.make_tensor_proto(number, tf.float32)
    return tf.compat.v1.Summary.Value(tag=name, metadata=_SCALAR, tensor=tensor)


def _scalar_metadata() -> tf.compat.v1.SummaryMetadata:
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = "scalars"
    return metadata


_SCALAR = _scalar_metadata()


@contextmanager
def _as_os_error() -> Iterator[None]:
    """TensorFlow has errors of its own for files that cannot be written."""
    try:
        yield
    except tf.errors.OpError as error:
        raise OSError(error.message) from error
