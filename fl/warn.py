"""Warnings that point at whoever called this package, however deep inside it they arise."""

from __future__ import annotations

import sys
import warnings

_INSIDE = ("fl", "contextlib", "concurrent", "threading", "keras", "tensorflow")


def warn(message: str, category: type[Warning]) -> None:
    """As `warnings.warn`, at the first frame that is of none of the packages in between."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _inside(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _inside(module: str) -> bool:
    return module.partition(".")[0] in _INSIDE
