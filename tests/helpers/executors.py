"""An executor that is not this process, without the time that a process takes to start."""

import pickle
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class Elsewhere(Executor):
    """Runs each job at once on a pickled copy, as another machine would, the last one first."""

    def __init__(self) -> None:
        self.jobs: list[bytes] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.jobs.append(pickle.dumps((fn, args)))
        future: Future[Any] = Future()
        function, arguments = pickle.loads(self.jobs[-1])
        future.set_result(pickle.loads(pickle.dumps(function(*arguments))))
        return future
