"""What can be changed of the demonstration. It imports no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass

from fl.aggregators.thresholds import resolve_threshold
from fl.errors import AggregationError


@dataclass(frozen=True)
class Settings:
    """What can be changed. Raises AggregationError where too few clients would be left."""

    seed: int = 0
    rounds: int = 20
    clients: int = 10
    dropouts: int = 2

    def __post_init__(self) -> None:
        left, threshold = self.clients - self.dropouts, resolve_threshold(None, self.clients)
        if left < threshold:
            raise AggregationError(
                f"{self.dropouts} dropouts leave {left} of {self.clients} clients, "
                f"fewer than the threshold of {threshold}: "
                f"at most {self.clients - threshold} dropouts expected"
            )
