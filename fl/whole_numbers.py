"""Numbers that must be whole, as callers give them: Python's and numpy's, but no `True`."""

from __future__ import annotations

from numbers import Integral

from fl.errors import FLError, ModelError


def whole(name: str, value: object, least: int, error: type[FLError] = ModelError) -> int:
    """The value as an int. Raises `error` unless it is a whole number of at least `least`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise error(f"{name} is {value!r}, expected a whole number of at least {least}")
    return int(value)
