"""Hypothesis profiles: the same examples on every machine, or many more when asked.

`HYPOTHESIS_PROFILE=thorough pytest` draws fresh examples, and many more.
"""

import os

from hypothesis import HealthCheck, settings

os.environ.pop("COLUMNS", None)  # lines are as long as they are, whoever runs the tests

_NO_CLOCK = [HealthCheck.too_slow]  # a busy machine is no failure

settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=60, suppress_health_check=_NO_CLOCK
)
settings.register_profile(
    "thorough", deadline=None, max_examples=1000, suppress_health_check=_NO_CLOCK
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
