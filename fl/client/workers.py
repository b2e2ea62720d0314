"""How many clients may be trained at a time. It imports no TensorFlow: the command asks first."""

from fl.errors import ModelError

MOST_WORKERS = 256
"""Each has a model of its own: more of them than cores cost memory and bring nothing."""


def check_workers(workers: int) -> int:
    """The number. Raises ModelError unless so many trainers can sensibly be made."""
    if not 1 <= workers <= MOST_WORKERS:
        raise ModelError(f"workers is {workers}, expected 1 to {MOST_WORKERS}")
    return workers
