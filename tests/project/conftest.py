"""The imports of the packages and of the tests, read once."""

import grimp
import pytest


@pytest.fixture(scope="session")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("secagg", "fl", "tests", cache_dir=None)
