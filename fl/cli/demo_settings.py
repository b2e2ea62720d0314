"""What can be changed of the demonstration. It imports no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from fl.aggregators.thresholds import resolve_threshold
from fl.errors import AggregationError
from fl.experiment.options import seed_of_keras

Page = Annotated[
    Path | None,
    typer.Option("--report", help="Write one HTML page of both sides to this file."),
]


@dataclass(frozen=True)
class Settings:
    """Its fields are the options of `fl demo`.

    Raises AggregationError where too few clients would be left.
    """

    seed: Annotated[
        int,
        typer.Option(
            min=0,
            callback=seed_of_keras,
            help="The seed of the split, the weights, the drops, the shuffling.",
        ),
    ] = 0
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds are trained.")] = 20
    clients: Annotated[
        int, typer.Option(min=2, help="How many clients there are; their data are unlike.")
    ] = 10
    dropouts: Annotated[
        int,
        typer.Option(
            min=0,
            help="How many clients are lost in each round, in a random round of the protocol.",
        ),
    ] = 2

    def __post_init__(self) -> None:
        left, threshold = self.clients - self.dropouts, resolve_threshold(None, self.clients)
        if left < threshold:
            raise AggregationError(
                f"{self.dropouts} dropouts leave {left} of {self.clients} clients, "
                f"fewer than the threshold of {threshold}, "
                f"expected at most {self.clients - threshold} dropouts"
            )
