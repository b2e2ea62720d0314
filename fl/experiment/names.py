"""The names of models (what they are: `model_zoo`) and of sums that the command line takes.

It imports no TensorFlow, so that a wrong name is refused at once. Those of data sets, partitions,
algorithms and conditions stand where these are, in modules that import none either.
"""

from __future__ import annotations

from pathlib import Path

from fl.errors import AggregationError, ModelError

TEXT = "lstm"
NAMES = ("softmax", "mlp", "cnn", TEXT)
SUMS = ("secure", "plain")


def check_model(name: str) -> str:
    """The name. Raises ModelError unless it is one of NAMES, or a .keras file that is there."""
    if name.endswith(".keras"):
        check_file(Path(name))
    elif name not in NAMES:
        raise ModelError(f"unknown model {name!r}, expected {', '.join(NAMES)} or a .keras file")
    return name


def check_file(path: Path) -> Path:
    """The path. Raises ModelError where no file is there."""
    if not path.exists():
        raise ModelError(f"{path} is not there, expected a .keras file")
    return path


def check_sum(name: str) -> str:
    """The name. Raises AggregationError unless it is one of SUMS."""
    if name not in SUMS:
        raise AggregationError(f"aggregator {name!r}, expected {' or '.join(SUMS)}")
    return name
