"""What every tutorial takes on its command line."""

import argparse
from contextlib import contextmanager
from pathlib import Path

import fl  # before Keras: TensorFlow then starts without its messages


def picture(name):
    """The file to draw into; refused before the work where there is no folder for it."""
    if not Path(name).parent.is_dir():
        raise argparse.ArgumentTypeError(f"{name} is in no folder, expected one that is there")
    return name


def positive(digits):
    if not (digits.isdecimal() and int(digits) > 0):
        raise argparse.ArgumentTypeError(f"{digits}, expected a whole number from 1")
    return int(digits)


@contextmanager
def told():
    """What `fl` refuses, such as data that are not there, in one line."""
    try:
        yield
    except fl.errors.FLError as error:
        raise SystemExit(str(error)) from None


def parser(doc, rounds=None, rounds_help="how many rounds"):
    """The first line of the script's docstring says what it does; rounds: None is a script that
    trains nothing, and needs no data."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    made.add_argument(
        "--figure", metavar="FILE.png", type=picture, help="draw a picture too, with matplotlib"
    )
    if rounds is not None:
        made.add_argument("--data-dir", help="where the data are; without it small digits are used")
        made.add_argument(
            "--rounds", type=positive, default=rounds, help=f"{rounds_help} ({rounds})"
        )
    return made
