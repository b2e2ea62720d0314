"""The lines of TensorFlow's start that say nothing, held back; all others go to stderr."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2
_NOISE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|[IW]\d{4} \d\d:\d\d:\d\d"  # I0000 00:00:1795650194.725451   26833 port.cc:153] ...
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IW] "
    rb"|.*Unable to register cu\w+ (factory|plugin)"
    rb"|To enable the following instructions: "
)


@contextmanager
def without_noise() -> Iterator[None]:
    """Collect what goes to stderr; in the end, whatever happened, write it there but for the noise.

    Where there is no stderr nothing is collected.
    """
    try:
        saved = os.dup(_STDERR)
    except OSError:
        yield
        return
    try:
        with tempfile.TemporaryFile() as held:
            _flush()
            os.dup2(held.fileno(), _STDERR)
            try:
                yield
            finally:
                _flush()
                os.dup2(saved, _STDERR)
                held.seek(0)
                with open(saved, "wb", closefd=False) as stderr:
                    stderr.writelines(line for line in held if not _NOISE.match(line))
    finally:
        os.close(saved)


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
