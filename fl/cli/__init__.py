"""The `fl` command.

Rooms: `app` is the command, `train` and `demo` what it does, `render`, `rows`, `columns` and `screen`
how that is shown, `starting` where both commands begin, `quiet` what keeps TensorFlow silent.  It may
use everything; nothing in the package uses it.
"""
