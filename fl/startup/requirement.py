"""Whether TensorFlow, and Keras on TensorFlow, are there: asked before either is imported."""

import sys


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
