"""The `fl` command.

Modules: `app` is the command, and `train`, `evaluate`, `demo`, `report`, `leak` and `federation`
its subcommands. `output` is where they print, `training_rows` and `number_columns` how the rounds
of a training are shown. Of the demonstration, `demo_settings` are its options, `demo_side_by_side`
computes it, `demo_render` shows it and `demo_report` makes its page; `leak_render` shows what
leaks. `starting` is where both commands begin, and `tensorflow_start` imports TensorFlow for one.
May be imported from it: `starting`, by `fl.__main__`. It may use everything; no other room uses it.
"""
