"""How the commands import TensorFlow: silently, and with the threads that their workers need."""

from __future__ import annotations

import importlib
import logging
import os

from fl.errors import FLError
from fl.startup.quiet_tensorflow import LEVEL
from fl.startup.requirement import require_tensorflow


def import_tensorflow(workers: int | None = None) -> None:
    """Import TensorFlow and Keras; no error of C++ is shown either.

    workers: how many threads train clients, each of which must compute in one thread; None leaves
    TensorFlow its own threads.

    ImportError, in one line, where TensorFlow or Keras on TensorFlow is not installed.
    """
    require_tensorflow()
    if os.environ.get(LEVEL) == "2":
        os.environ[LEVEL] = "3"
    importlib.import_module("tensorflow")
    importlib.import_module("keras")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if workers is not None:
        _use_threads(workers)


def _use_threads(workers: int) -> None:
    from fl.client.trainer_pool import one_thread_each

    try:
        one_thread_each(workers)
    except RuntimeError as error:
        # The command is run by a program that has used TensorFlow: it keeps that program's threads.
        if "after initialization" not in str(error):
            raise FLError(str(error)) from error
