"""A federated process: rounds of clients' work, a sum, and the server's step.

Modules: `federated_process` is the loop over rounds, `server_optimizer` the server's step.  Both
may be imported, by whoever builds a process.  It uses `aggregators`, `client`, `errors`, `model`,
`plan`, `progress`, `tff` and `warn`.
"""
