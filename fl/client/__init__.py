"""A client's own work: from its examples and the round's plan to its contribution.

Modules: `training` is its part of a round; `examples` and `inputs` read its data,
`local_training` trains on them in the `compiled_loop`, `measuring` evaluates, `metrics` are what it
measured, `trainer_pool` trains several clients at a time, as many as `workers` allows.  All but
`inputs` may be imported, by `process` and what stands above it.  It uses `aggregators` for what a
contribution is, `data`, `errors`, `model`, `one_line`, `plan`, `round_message`, `seeds` and `warn`.
"""
