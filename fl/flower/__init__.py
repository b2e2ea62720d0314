"""Rounds across machines: any process of `fl` with clients on hosts of their own.

    federation.toml   what all parties have agreed on, each from a file of its own

Modules: `federation` is that file and `enrolment` makes it; `records` is what travels; `node` is a
client's part and `folder` what it keeps between two messages; `coordinator` is the server's part of
one round and `rounds` that of a run.  May be imported: all of them, by whoever carries the messages.
It uses `aggregators`, `errors`, `experiment`, `model`, `population`, `process` and `round_message`.
"""
