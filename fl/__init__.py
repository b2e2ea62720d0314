"""Federated averaging of Keras models over secure aggregation.

    process = fl.build_weighted_fed_avg(model_fn, client_optimizer_fn)
    state = process.initialize()
    state, metrics = process.next(state, [client_a, client_b, ...])

Importing this package does not import TensorFlow: that happens when a name is first used.
"""

import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fl.errors import AggregationError, DataError, FLError, MetricError, ModelError
    from fl.evaluation import build_fed_eval
    from fl.fedavg import RoundResult, build_unweighted_fed_avg, build_weighted_fed_avg
    from fl.models import from_keras_model
    from fl.server import ServerState
    from fl.sums import PlainSum, SecAggError, SecureSum, TooFewClients
    from fl.vector import ModelWeights

__all__ = [
    "AggregationError",
    "DataError",
    "FLError",
    "MetricError",
    "ModelError",
    "ModelWeights",
    "PlainSum",
    "RoundResult",
    "SecAggError",
    "SecureSum",
    "ServerState",
    "TooFewClients",
    "build_fed_eval",
    "build_unweighted_fed_avg",
    "build_weighted_fed_avg",
    "from_keras_model",
]

_HOME = {
    "fl.errors": ("AggregationError", "DataError", "FLError", "MetricError", "ModelError"),
    "fl.evaluation": ("build_fed_eval",),
    "fl.fedavg": ("RoundResult", "build_unweighted_fed_avg", "build_weighted_fed_avg"),
    "fl.models": ("from_keras_model",),
    "fl.server": ("ServerState",),
    "fl.sums": ("PlainSum", "SecAggError", "SecureSum", "TooFewClients"),
    "fl.vector": ("ModelWeights",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'fl' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    _require_tensorflow()  # Keras is imported now, and may have read its backend from a file
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def _require_tensorflow() -> None:
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


_require_tensorflow()
