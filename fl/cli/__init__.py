"""The `fl` command.

Modules: `app` is the command, and `train`, `evaluate` and `demo` its subcommands.  `output` is
where they print, `training_rows` and `number_columns` how the rounds of a training are shown.  Of
the demonstration, `demo_settings` are its options, `demo_side_by_side` computes it and
`demo_render` shows it.  `starting` is where both commands begin; `quiet_tensorflow` keeps
TensorFlow's start-up messages back, `tensorflow_noise` says which these are, and
`tensorflow_start` imports it for a command.  May be imported from it: `quiet_tensorflow` by `fl`
itself, `starting` by `fl.__main__`.  It may use everything; no other room uses it.
"""
