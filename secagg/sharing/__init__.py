"""Secret sharing over GF(65521): Shamir's, and what decodes shares of which some are wrong.

Modules: `shamir` deals and combines, `reed_solomon` corrects, `field` is the arithmetic.  All
three may be imported, by client and server.  It uses `errors`.
"""
