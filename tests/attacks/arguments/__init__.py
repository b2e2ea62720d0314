"""Refusals of our own caller's arguments, where a mistake would go unnoticed.

Nobody attacks with these: they are what a host gives to its own masks, quantizers and decoders.  A
mistake that is let through is a wrong sum, a mask that hides nothing, or an error of numpy that
does not say what was expected.
"""
