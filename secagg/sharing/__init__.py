"""Secret sharing over GF(65521): Shamir's, and what decodes shares of which some are wrong.

Rooms: `shamir` deals and combines, `reed_solomon` corrects, `field` is the arithmetic.  It uses
nothing but `errors`.
"""
