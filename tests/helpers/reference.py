"""What the pages of the reference show."""

import importlib
from operator import attrgetter
from types import ModuleType

from docs.website import reference


def shown(room: str, name: str) -> object:
    """A name of a room's page; a module of a room whose modules are shown is imported first."""
    home: ModuleType = importlib.import_module(room)
    if room in reference.MODULES:
        importlib.import_module(f"{room}.{name}")
    return attrgetter(name)(home)
