"""How far a round is, for whoever looks.

Modules: `watch` is what work reports to, `bars` how it looks.  `watch` may be imported by every
room, `bars` by the command.  It uses nothing of this package.
"""
