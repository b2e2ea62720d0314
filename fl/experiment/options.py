"""How a field of the settings says what it is as an option of a command: panel, help, range, names.

It is read by typer (`secagg.cli.options`), and imports no TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from typer.models import OptionInfo

from fl.data import catalogue
from fl.experiment import names

DATA = "What to train on"
ROUND = "A round"
SUM = "The sum"
PRIVACY = "Privacy of the sum"
RUN = "The run"

T = TypeVar("T")


def option(
    panel: str,
    help_text: str,
    *flags: str,
    choices: Sequence[str] = (),
    check: Callable[[T], T] | None = None,
    min: float | None = None,
    max: float | None = None,
) -> OptionInfo:
    """An option in a panel of the help.

    flags: what it is called where not after its field. choices: what a shell completes.
    check: called with the value; gives it back or raises. min, max: included.
    """
    complete = (lambda: list(choices)) if choices else None
    made: OptionInfo = typer.Option(
        *flags,
        help=help_text,
        rich_help_panel=panel,
        autocompletion=complete,
        callback=check,
        min=min,
        max=max,
    )
    return made


def above_zero(value: float | None) -> float | None:
    """The value. Raises typer.BadParameter unless it is finite and above 0, or None."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value}, expected a finite number above 0")
    return value


def below_one(value: float) -> float:
    """The value. Raises typer.BadParameter unless it is above 0 and below 1."""
    if not 0 < value < 1:
        raise typer.BadParameter(f"{value}, expected a number above 0 and below 1")
    return value


def seed_of_keras(value: int) -> int:
    """The value. Raises typer.BadParameter unless Keras takes it as a seed."""
    if value >= 2**32:
        raise typer.BadParameter(f"{value}, expected less than 2^32")
    return value


DataSet = Annotated[
    str,
    option(
        DATA,
        f"The data set: {', '.join(catalogue.NAMES)}, or a name of tensorflow_datasets.",
        choices=catalogue.NAMES,
        check=catalogue.check_name,
    ),
]
DataDir = Annotated[
    Path | None, option(DATA, "The directory of its files; without it they are downloaded.")
]
HOW_MANY_CLIENTS = "How many clients there are; by default all of the data set, or 10."
Sum = Annotated[
    str,
    option(
        SUM,
        "How updates are summed: secure or plain.",
        choices=names.SUMS,
        check=names.check_sum,
    ),
]
Seed = Annotated[
    int,
    option(
        RUN,
        "The seed from which everything follows but the cryptographic keys.",
        check=seed_of_keras,
        min=0,
    ),
]
