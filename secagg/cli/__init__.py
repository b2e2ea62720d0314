"""The `secagg` command.

Modules: `app` is the command, `params`, `identity` and `version` its subcommands, `costs` what
`secagg params` estimates, `command` the rule by which both commands end.  `app`, `command` and
`version` may be imported, by the `fl` command.  It may use everything; nothing in `secagg` uses
it.
"""
