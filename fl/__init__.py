"""Federated averaging of Keras models over secure aggregation.

    process = fl.build_weighted_fed_avg(model_fn, client_optimizer_fn)
    state = process.initialize()
    state, metrics = process.next(state, [client_a, client_b, ...])

Rooms: `algorithms` build the processes of `process`; `client` is what a client does, on a
`model`; `aggregators` sum, and alone import the protocol; `evaluation` and `analytics` ask
without training; `data` and `population` are who takes part and with what; `experiment` is a
whole training, `cli` the command.  Below them all are `plan` (what a round sends), `progress`,
`seeds`, `warn`, `one_line`, `tff` (what TensorFlow Federated calls things) and `errors`.  Imports
point downwards (pyproject.toml has the rules).  May be imported: what `fl/__init__.pyi` names,
and what the rooms for users say of themselves (`fl.aggregators`, `fl.analytics`, `fl.data`,
`fl.errors`, `fl.population`).

Examples in docstrings use `model_fn`, a function that returns a small compiled Keras model of four
features and three classes, and `clients`, a list of four pairs (x, y).

What this package refuses is an `fl.errors.FLError`. A round that too few clients finish is not: it
is the protocol's `fl.errors.TooFewClients`. After either the old state is as good as before.

Importing this package imports neither TensorFlow nor numpy: that happens when a name is first used.
It keeps TensorFlow's start-up messages off the terminal; TF_CPP_MIN_LOG_LEVEL=0 shows them.
"""

import sys

from fl.cli.quiet_tensorflow import quieten

__all__: list[str]


def __getattr__(name: str) -> object:
    # Not at the top: a command sees to Ctrl-C before anything more is imported (`cli.starting`).
    import importlib

    if name == "__version__":
        return importlib.import_module("secagg").__version__
    attribute, _, names = importlib.import_module("lazy_loader").attach_stub(__name__, __file__)
    if name == "__all__":
        return names
    if name not in names:
        tff = importlib.import_module("fl.tff")
        raise tff.missing("module 'fl'", name, tff.NAMES)
    require_tensorflow()
    value: object = attribute(name)
    require_tensorflow()  # Keras is imported now, and may have read its backend from a file
    return value


def __dir__() -> list[str]:
    return sorted([*__getattr__("__all__"), "__version__"])  # type: ignore[misc]


def require_tensorflow() -> None:
    """Raise ImportError, in one line, where TensorFlow, or Keras on TensorFlow, is missing."""
    from importlib.util import find_spec

    if find_spec("tensorflow") is None:
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
    import os

    if "keras" in sys.modules:
        return str(sys.modules["keras"].config.backend())
    return os.environ.get("KERAS_BACKEND")


quieten()
