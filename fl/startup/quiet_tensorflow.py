"""TensorFlow without its start-up messages: nothing else is held back.

They come from C++ and go to the file descriptor, some before any logging setting is read. So while
TensorFlow is imported, whatever goes to stderr is collected, and afterwards written there without
the lines that are known to be such messages (`tensorflow_noise`): of severities "information" and
"warning", and those that say of a library that it is registered twice. Errors stay, and so does
whatever else was said.

TF_CPP_MIN_LOG_LEVEL=0 or 1 in the environment shows everything. `import fl` reads this module: it
imports nothing that Python has not loaded.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def quieten() -> None:
    """Keep the start-up messages back when TensorFlow is imported, by whomever.

    TF_CPP_MIN_LOG_LEVEL is 2, for errors and worse, unless it is set; where it asks for more, or
    TensorFlow has been imported, nothing is changed.
    """
    if "tensorflow" not in sys.modules and os.environ.setdefault(LEVEL, "2") not in ("0", "1"):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds what the other finders find; `tensorflow` is then executed `without_noise`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "tensorflow":
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def quietly(module: ModuleType) -> None:
                from fl.startup.tensorflow_noise import without_noise

                with without_noise():
                    execute(module)

            spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec
