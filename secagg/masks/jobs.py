"""Into how many jobs of an executor masks are divided: each job has a fixed overhead."""

LEAST_MASKS = 256
"""In one job: sending its arguments and its result is cheap beside computing so many."""

MOST_JOBS = 64


def jobs_for(masks: int) -> int:
    """How many jobs; fewer than 2 means that an executor is not worth its overhead."""
    return min(masks // LEAST_MASKS, MOST_JOBS)
