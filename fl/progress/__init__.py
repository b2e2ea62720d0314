"""How far a round is, for whoever looks.

Rooms: `watch` is what work reports to, `bars` how it looks.  It uses nothing of this package.
"""
