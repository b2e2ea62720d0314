"""Import TensorFlow without its start-up chatter, for the command line only.

The messages come from C++ and go to the file descriptor, before any logging setting is read. They
are held back, and shown after all if the import fails.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from fl import require_tensorflow

_STDERR = 2


def import_tensorflow() -> None:
    """Import TensorFlow and Keras; nothing of it reaches stderr unless it fails.

    ImportError, in one line, where TensorFlow or Keras on TensorFlow is not to be had.
    """
    require_tensorflow()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _held_back():
        importlib.import_module("tensorflow")
        importlib.import_module("keras")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def _held_back() -> Iterator[None]:
    sys.stderr.flush()
    saved = os.dup(_STDERR)
    try:
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), _STDERR)
            try:
                yield
            except ImportError:
                held.seek(0)
                os.write(saved, held.read())
                raise
            finally:
                os.dup2(saved, _STDERR)
    finally:
        os.close(saved)
