"""A federated process: rounds of clients' work, a sum, and the server's step.

Modules: `client_half` and `server_half` are a round on two kinds of machines, `simulation` a loop
over both in one process, in which the aggregator does what a client submits and the server decodes;
these need no TensorFlow.  `federated_process` is what builders return, `training_server` its server
half, with `server_optimizer`; `reports` types a round's metrics.  All may be imported, by whoever
builds a process.  It uses `aggregators`, `client`, `errors`, `model`, `plan`, `progress`,
`round_message`, `tff` and `warn`.
"""
