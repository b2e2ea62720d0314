"""Rounds across machines: any process of `fl` with clients on hosts of their own, over Flower.

    folders = fl.flower.enrolment.found("federation", Terms(n=5, threshold=4))   a folder a party
    app = fl.flower.client_app.client_app({"training": build_process}, load_data)
    app = fl.flower.server_app.server_app(build_process, examples, "federation/server", ...)

Modules: `federation` is the file of what all parties have agreed on and `enrolment` makes it;
`records` is what travels; `node` is a client's part and `folder` what it keeps between two
messages; `coordinator` is the server's part of one round, with a `session` of the protocol or a sum
in the `clear` over an `exchange` of messages, `rounds` that of a run, and `lines` says how far it
is; `questions` is a process for analytics.  None of these knows Flower: `client_app` and
`server_app` do, `grid` carries the messages, `carried` puts bytes into Flower's records, and
`requirement` says what to install.  May be imported: all of them.
It uses `aggregators`, `analytics`, `data`, `errors`, `experiment`, `model`, `population`,
`process`, `progress` and `round_message`.
"""
