"""A federated process: rounds of clients' work, a sum, and the server's step.

It uses `client`, `aggregators`, `model`, `data` and `progress`.
"""
