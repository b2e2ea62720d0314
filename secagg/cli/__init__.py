"""The `secagg` command.

Rooms: `app` is the command, `params`, `identity` and `version` its subcommands, `costs` what
`secagg params` estimates, `command` the rule by which both commands end.  It may use everything;
nothing in the package uses it.
"""
