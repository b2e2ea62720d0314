"""No module through which every number passes is forgotten where its refusals are removed."""

import pkgutil
from pathlib import Path

import pytest

import fl.aggregators
import fl.aggregators.codings
import fl.process
from tests.helpers.removed import FL_ROOMS, checks

READ = {module for modules in FL_ROOMS.values() for module in modules}


def test_every_room_has_its_file():
    files = {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")}
    assert files - {"every_refusal"} == FL_ROOMS.keys()


@pytest.mark.parametrize(
    "room",
    [fl.aggregators, fl.aggregators.codings, fl.process],
    ids=lambda room: room.__name__,
)
def test_every_module_of_the_sum_and_of_the_round_is_read(room):
    modules = {name for _, name, _ in pkgutil.iter_modules(room.__path__, f"{room.__name__}.")}
    assert {name for name in modules - READ if checks([name])} == set()
