"""A client's own work: from its examples and the round's plan to its contribution.

Rooms: `examples` and `inputs` read its data, `local_training` trains on them in the `compiled_loop`,
`metrics` are what it measured, `trainer_pool` several clients at a time.  It uses `aggregators` for
what a contribution is, `model`, `data` and `plan`.
"""
