"""How many signatures of a quorum a client has to check, if it draws them after it has them all.

    q  =  the least number with  C(needed − 1, q) / C(signers, q)  ≤  2^-bits / n

If fewer than `needed` of the signatures are valid, q drawn without replacement are all valid with
at most that probability; n clients each draw once.  Where q reaches `needed`, that many valid ones
prove it without a draw.  docs/decisions/0013-a-client-checks-its-neighbours.md has the proof.
"""

from functools import cache


def sample_bits(privacy_bits: int) -> int:
    """−log2 of what the samples of all clients together may miss with: half of 2^-privacy_bits."""
    return privacy_bits + 1


@cache
def sample_size(signers: int, needed: int, bits: int, n: int) -> int:
    """q, at most `needed`; exact, in integers. 1 <= needed <= signers.

    >>> from secagg.parameters.quorum import sample_size
    >>> sample_size(900, 526, 41, 1000), sample_size(526, 526, 41, 1000)
    (63, 526)
    """
    missing, ways = n << bits, 1  # missing/ways > 1: the sample is still too small
    for q in range(needed):
        if missing <= ways:
            return q
        missing *= needed - 1 - q
        ways *= signers - q
    return needed
