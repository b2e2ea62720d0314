"""Evaluation on clients' data: of one model, and of what fine-tuning it would bring.

Modules: `fed_eval`, `personalization`.  May be imported from it: their builders, which `fl`
exports.  It uses `aggregators`, `client`, `errors`, `model`, `plan`, `process`, `progress`,
`seeds` and `tff`.
"""
