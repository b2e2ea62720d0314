"""What an error of Keras or TensorFlow says, in one line and without the data that it may quote."""

from __future__ import annotations

import re

import tensorflow as tf

_TRACE_LINES = (
    *("Graph execution error", "Detected at node", "File ", "[["),
    "Exception encountered when calling",
)
# What of an error is no data: the range of labels, and shapes but for their first axis.
_PUBLIC = re.compile(r"\[\d+, \d+\)|(?<=\()\d+(?P<rest>(?:, \d+)*,?\))|b'.*?'|b\".*?\"|\d+")
_TERMINAL = re.compile(r"\x1b\[\d*m|\{\{.*?\}\}")


def one_line(error: BaseException) -> str:
    """The line of an error that says what is wrong.

    TensorFlow's come after a stack trace. Numbers are left out, and what an operation says after a
    colon.
    """
    lines = [_TERMINAL.sub("", line).strip() for line in str(error).splitlines()]
    telling = (line for line in lines if line and not line.startswith(_TRACE_LINES))
    line = next(telling, "")
    if isinstance(error, tf.errors.OpError):
        line = re.split(r"\.? *(?:Label values)?:|\[Op:", line)[0].strip()
    return _PUBLIC.sub(_shown, line) or type(error).__name__


def _shown(found: re.Match[str]) -> str:
    if found["rest"] is not None:
        return f"?{found['rest']}"
    return found[0] if found[0].startswith("[") else "?"
