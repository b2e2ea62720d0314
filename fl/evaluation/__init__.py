"""Evaluation on clients' data: of one model, and of what fine-tuning it would bring.

Rooms: `fed_eval`, `personalization`.  It uses `process` and below.
"""
