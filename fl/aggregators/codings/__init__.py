"""How contributions become ring words, and sums of these totals again.

    Clipped           each coordinate within a range, to a step that cannot wrap
    Exact             each coordinate whatever it is
    Rotated           few bits, to a step that follows the sums
    DistributedNoise  few bits, with noise of every client, so that the sum is itself private

Modules: `interface` says what a coding is; `encoding` and `decoding` are the two sides of those
that send counts and metrics beside the update, `clipped` and `rotated` the ways to write it;
`noisy` sends an update with noise, and nothing beside it.  May
be imported from it: what is in `__all__`.  It uses `contribution`, `interface` and `totals` of the
aggregators, `errors` and `privacy`.
"""

from fl.aggregators.codings.clipped import Clipped, Exact
from fl.aggregators.codings.interface import Coding
from fl.aggregators.codings.noisy import DistributedNoise
from fl.aggregators.codings.rotated import Rotated

__all__ = ["Clipped", "Coding", "DistributedNoise", "Exact", "Rotated"]
