"""The examples run as a reader would run them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(os.name != "posix", reason="the example kills a process with SIGKILL")
def test_five_processes_sum_over_tcp_and_one_is_killed() -> None:
    example = [sys.executable, str(ROOT / "examples" / "asyncio_session.py"), "--verbose"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(example, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    *told, total = done.stdout.splitlines()
    assert sorted(told) == [
        f"client {u}: the session is over, summed" for u in (11, 22, 33, 55)
    ]  # fmt: skip
    assert total == "sum [121, 1210, 4] over (11, 22, 33, 55), dropped {44: 2}"
    assert "Traceback" not in done.stderr
    assert re.search("Collecting: 4 answered", done.stderr)
