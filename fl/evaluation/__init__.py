"""Evaluation on clients' data: of one model, and of what fine-tuning it would bring.

Modules: `fed_eval` and its `halves`, `personalization` and its `fine_tuning`.  May be imported from
it: their builders, which `fl` exports.  It uses `aggregators`, `client`, `errors`, `model`,
`personal`, `plan`, `process`, `round_message` and `tff`.
"""
