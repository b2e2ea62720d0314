"""Whether Flower is there: asked before it is imported."""

from importlib.util import find_spec


def require_flower() -> None:
    """Raise ImportError, in one line, where Flower is missing."""
    if find_spec("flwr") is None:
        raise ImportError("fl.flower needs Flower: pip install 'secagg[fl,flower]'")
