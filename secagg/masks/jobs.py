"""Into how many jobs of an executor masks are divided: a job has a price, whatever is in it."""

LEAST_MASKS = 256
"""Of a job: what it is sent and sends back is cheap beside so many."""

MOST_JOBS = 64


def jobs_for(masks: int) -> int:
    """How many jobs; fewer than 2 means that an executor is not worth its price."""
    return min(masks // LEAST_MASKS, MOST_JOBS)
