"""Federated averaging of Keras models over secure aggregation.

    process = fl.build_weighted_fed_avg(model_fn, client_optimizer_fn)
    state = process.initialize()
    state, metrics = process.next(state, [client_a, client_b, ...])

Examples in docstrings use `model_fn`, a function that returns a small compiled Keras model of four
features and three classes, and `clients`, a list of four pairs (x, y).

What this package refuses is an `fl.FLError`. A round that too few clients finish is not: it is the
protocol's `fl.TooFewClients`, an `fl.SecAggError`. After either the old state is as good as before.

Importing this package does not import TensorFlow: that happens when a name is first used. It keeps
TensorFlow's start-up messages off the terminal (`fl.quiet`); TF_CPP_MIN_LOG_LEVEL=0 shows them.
"""

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fl import checkpoint as checkpoint
    from fl import clipping as clipping
    from fl import data as data
    from fl import devices as devices
    from fl import pool as pool
    from fl import sampling as sampling
    from fl.adaptive import FedAdagrad, FedAdam, FedYogi
    from fl.analytics import (
        Answer,
        Histogram,
        secure_histogram,
        secure_mean,
        secure_quantile,
        secure_sum,
        secure_weighted_mean,
    )
    from fl.errors import (
        AggregationError,
        CheckpointError,
        DataError,
        FLError,
        ImplausibleSum,
        MetricError,
        ModelError,
        NoExamples,
        SumWarning,
    )
    from fl.evaluation import build_fed_eval
    from fl.fedavg import build_unweighted_fed_avg, build_weighted_fed_avg
    from fl.fedprox import build_unweighted_fed_prox, build_weighted_fed_prox
    from fl.fedsgd import build_fed_sgd
    from fl.kmeans import KMeansState, build_fed_kmeans
    from fl.models import from_keras_model
    from fl.parallel import with_workers
    from fl.personalization import FineTune, build_personalization_eval
    from fl.process import RoundResult
    from fl.progress import show_progress
    from fl.server import ServerState
    from fl.sums import PlainSum, SecAggError, SecureSum, TooFewClients
    from fl.vector import ModelWeights
    from secagg import __version__ as __version__

__all__ = [
    "AggregationError",
    "Answer",
    "CheckpointError",
    "DataError",
    "FLError",
    "FedAdagrad",
    "FedAdam",
    "FedYogi",
    "FineTune",
    "Histogram",
    "ImplausibleSum",
    "KMeansState",
    "MetricError",
    "ModelError",
    "ModelWeights",
    "NoExamples",
    "PlainSum",
    "RoundResult",
    "SecAggError",
    "SecureSum",
    "ServerState",
    "SumWarning",
    "TooFewClients",
    "build_fed_eval",
    "build_fed_kmeans",
    "build_fed_sgd",
    "build_personalization_eval",
    "build_unweighted_fed_avg",
    "build_unweighted_fed_prox",
    "build_weighted_fed_avg",
    "build_weighted_fed_prox",
    "checkpoint",
    "clipping",
    "data",
    "devices",
    "from_keras_model",
    "pool",
    "sampling",
    "secure_histogram",
    "secure_mean",
    "secure_quantile",
    "secure_sum",
    "secure_weighted_mean",
    "show_progress",
    "with_workers",
]

_HOME = {
    "fl.adaptive": ("FedAdagrad", "FedAdam", "FedYogi"),
    "fl.analytics": (
        "Answer",
        "Histogram",
        "secure_histogram",
        "secure_mean",
        "secure_quantile",
        "secure_sum",
        "secure_weighted_mean",
    ),
    "fl.errors": (
        "AggregationError",
        "CheckpointError",
        "DataError",
        "FLError",
        "ImplausibleSum",
        "MetricError",
        "ModelError",
        "NoExamples",
        "SumWarning",
    ),
    "fl.evaluation": ("build_fed_eval",),
    "fl.fedavg": ("build_unweighted_fed_avg", "build_weighted_fed_avg"),
    "fl.fedprox": ("build_unweighted_fed_prox", "build_weighted_fed_prox"),
    "fl.fedsgd": ("build_fed_sgd",),
    "fl.kmeans": ("KMeansState", "build_fed_kmeans"),
    "fl.models": ("from_keras_model",),
    "fl.parallel": ("with_workers",),
    "fl.personalization": ("FineTune", "build_personalization_eval"),
    "fl.process": ("RoundResult",),
    "fl.progress": ("show_progress",),
    "fl.server": ("ServerState",),
    "fl.sums": ("PlainSum", "SecAggError", "SecureSum", "TooFewClients"),
    "fl.vector": ("ModelWeights",),
}
_MODULES = ("checkpoint", "clipping", "data", "devices", "pool", "sampling")
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("secagg").__version__
    if name in _MODULES:
        value: Any = importlib.import_module(f"fl.{name}")
    elif name in _MODULE_OF:
        value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    else:
        tff = importlib.import_module("fl.tff")
        raise tff.missing("module 'fl'", name, tff.NAMES)
    require_tensorflow()  # Keras is imported now, and may have read its backend from a file
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def require_tensorflow() -> None:
    """Raise ImportError, in one line, where TensorFlow or Keras on TensorFlow is not to be had."""
    if importlib.util.find_spec("tensorflow") is None:
        version = ".".join(map(str, sys.version_info[:2]))
        if (3, 11) <= sys.version_info[:2] <= (3, 13):
            raise ImportError("fl needs TensorFlow: pip install 'secagg[fl]'")
        raise ImportError(
            "fl needs TensorFlow, which supports Python 3.11 to 3.13; "
            f"this interpreter is {version}"
        )
    backend = _keras_backend()
    if backend not in (None, "tensorflow"):
        raise ImportError(
            f"fl needs Keras on TensorFlow, and the Keras backend is {backend!r}: "
            "set KERAS_BACKEND=tensorflow before Keras is imported"
        )


def _keras_backend() -> str | None:
    """The backend, as far as it is settled without importing Keras."""
    if "keras" in sys.modules:
        return str(sys.modules["keras"].config.backend())
    return os.environ.get("KERAS_BACKEND")


# The `fl` command says the same in one line and without a traceback, when it comes to training.
if Path(sys.argv[0]).stem != "fl":
    require_tensorflow()

importlib.import_module("fl.quiet").quieten()
