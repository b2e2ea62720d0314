"""Refusals on the way of numbers into a sum and out of it.

Each check that `tests.helpers.removed` finds in these modules is removed in turn, and then
something wrong goes on.
"""
