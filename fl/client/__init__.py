"""A client's own work: from its examples and the round's plan to its contribution.

Rooms: `training` is its part of a round; `examples` and `inputs` read its data, `local_training`
trains on them in the `compiled_loop`, `measuring` evaluates, `metrics` are what it measured,
`trainer_pool` trains several clients at a time.  It uses `aggregators` for what a contribution is,
`model`, `data`, `plan` and `round_message`.
"""
