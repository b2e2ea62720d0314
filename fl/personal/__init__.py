"""A model that one client trains for itself: what it becomes stays with that client.

Modules: `tuning` is one strategy of training, `copies` what a client does with a model of its own.
May be imported from it: both, by `evaluation`, and their builder and strategy, which `fl` exports.
It uses `client`, `errors`, `model`, `plan`, `tff` and `whole_numbers`.
"""
