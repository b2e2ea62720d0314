"""`python -m fl`, which is the `fl` command."""

from fl.cli import starting

if __name__ == "__main__":
    starting.fl()
