"""The `fl` command.

Modules: `app` is the command, `train` and `demo` what it does, `demo_settings` what can be
changed of the demonstration, `render`, `rows`, `columns` and `screen` how that is shown,
`starting` where both commands begin, `quiet` what keeps TensorFlow silent and `noise` which lines
that are.  May be imported from it: `quiet` by `fl` itself, `starting` and `app` by `fl.__main__`.
It may use everything; no other room uses it.
"""
