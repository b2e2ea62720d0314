"""The `secagg` command.

Modules: `app` is the command, `params` and `identity` its subcommands, `costs` what `secagg params`
estimates.  For both commands: `command` is the rule by which they end, `group` their help and
`--version`, `options` turns the fields of dataclasses into options.  `command`, `group` and
`options` may be imported, by the `fl` command.  It may use everything; nothing in `secagg` uses it.
"""
