"""What every tutorial takes on its command line."""

import argparse

import fl  # noqa: F401, before Keras: TensorFlow then starts without its messages


def parser(doc, rounds=None, rounds_help="how many rounds"):
    """The first line of the script's docstring says what it does; rounds: None is a script that
    trains nothing, and needs no data."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    made.add_argument("--figure", metavar="FILE.png", help="draw a picture too, with matplotlib")
    if rounds is not None:
        made.add_argument("--data-dir", help="where the data are; without it small digits are used")
        made.add_argument("--rounds", type=int, default=rounds, help=f"{rounds_help} ({rounds})")
    return made
