"""Reports of sums, of which two can be compared."""

from collections.abc import Mapping
from typing import Any


def untimed(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report without the seconds of its phases."""
    phases = [
        {name: value for name, value in phase.items() if name != "seconds"}
        for phase in report.get("phases", ())
    ]
    return {**report, "phases": phases}
