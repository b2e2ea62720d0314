"""Evaluation on clients' data: of one model, and of what fine-tuning it would bring.

Rooms: `fed_eval` and its `halves`, `personalization` and its `fine_tuning`.  It uses `process` and
below.
"""
