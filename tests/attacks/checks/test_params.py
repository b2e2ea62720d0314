"""Each check of parameters and graphs is removed in turn, and what it refuses is agreed on."""

from typing import Any

import numpy as np

import secagg
from secagg.graph import Complete, CuriousOnlyHarary, Harary
from tests.helpers.attacks import agreed, says, takes
from tests.helpers.breaks import Attack, Attacks
from tests.helpers.dishonest import Coalition, harm
from tests.helpers.party import SPECS, Party
from tests.helpers.removed import ROOMS

attacks = Attacks(*ROOMS["params"])
breaks = attacks.breaks
CHECK = "params.Params._check"


def orderly(n: int, bad: int, **params: Any) -> Attack:
    """Parameters that promise too much: a session without a single lie is enough."""

    def attack() -> bool:
        party = Coalition(n, bad=bad, **params)
        party.play()
        return harm(party) is not None

    return attack


# Thresholds.

too_small = orderly(5, 2, t=2, corrupt=2, min_survivors=4)
breaks("params.Params.__init__", "self._check(quorum)")(too_small)
breaks(
    CHECK,
    "self.graph.check(n=self.n, t=self.t, corrupt=self.corrupt, min_roster=self.min_roster)",
)(too_small)
breaks("graph.Complete.check", "not 2 * t > n + corrupt")(too_small)
breaks("graph.Complete.check", "not t <= n")(
    takes(lambda: Complete().check(n=5, t=6, corrupt=2, min_roster=5))
)


@breaks(CHECK, "not quorum <= self.min_survivors")
def small_quorum() -> bool:
    """min_survivors = 4 of 7 with 2 corrupt: 3 + 2 sign the one U3, 2 + 2 the other."""
    party = Coalition(7, bad=2, t=4, corrupt=0, min_survivors=3, min_roster=4)
    party.play(U3=lambda u: party.ids if u < 40 else party.ids[1:])
    return harm(party) is not None


@breaks(CHECK, "self.min_survivors - self.corrupt < 2")
def alone_in_the_sum() -> bool:
    """n = 3 of whom 2 may be corrupt: the sum is the victim's input."""
    party = Coalition(3, bad=2, t=3, corrupt=2)
    party.play()
    return any(learned.clients == (10,) for learned in party.learned())


breaks(CHECK, "not 2 <= self.n")(says("n=1 clients", agreed(1)))
breaks(CHECK, "not self.n <= MAX_CLIENTS")(agreed(65521))
breaks(CHECK, "self.corrupt < 0")(agreed(5, t=3, corrupt=-1))
breaks(CHECK, "not self.min_survivors <= self.min_roster")(agreed(5, min_survivors=5, min_roster=4))
breaks(CHECK, "not self.min_roster <= self.n")(agreed(5, min_roster=6))
breaks("params._check_ints", "value is not None and type(value) is not int")(
    agreed(5, t=np.int64(4))
)

# What is summed, and in which session.

breaks(CHECK, "not 1 <= len(names) <= MAX_VECTORS")(takes(lambda: secagg.Params(5, ())))
breaks(CHECK, "len(set(names)) < len(names)")(takes(lambda: secagg.Params(5, (*SPECS, *SPECS))))
breaks(CHECK, "type(self.session) is not bytes")(agreed(5, session=bytearray(16)))
breaks(CHECK, "type(self.context) is not bytes")(agreed(5, context=bytearray(b"c")))
breaks(CHECK, "len(self.session) < SESSION_BYTES")(agreed(5, session=bytes(15)))
breaks(CHECK, "check_server_key(self.server_key)")(agreed(5, server_key=bytes(32)))
breaks("params.Params.need_server_key", "not self.server_key")(
    says("no server_key", lambda: Party(5, server_key=b""))
)

# The ring.


def ring(k: int, t: int, corrupt: int = 0) -> Attack:
    return agreed(11, Harary(k), t=t, corrupt=corrupt, min_roster=9, min_survivors=8)


breaks("graph.Ring.__post_init__", "type(self.k) is not int")(takes(lambda: Harary(8.0)))
breaks("graph.Ring.check", "k < 2")(says("k=0, expected an even", ring(0, 2)))
breaks("graph.Ring.check", "k % 2")(ring(7, 6))
breaks("graph.Ring.check", "k >= min_roster")(ring(10, 8))
breaks("graph.Ring.check", "not least <= t")(ring(8, 5))
breaks("graph.Ring.check", "not t <= k")(ring(8, 9))
breaks(
    "graph.Ring.__post_init__",
    "check_bits('privacy_bits', self.privacy_bits, LEAST_PRIVACY_BITS)",
)(takes(lambda: CuriousOnlyHarary(8, privacy_bits=39)))
breaks(
    "graph.Harary.__post_init__",
    "check_bits('grinding_bits', self.grinding_bits, LEAST_GRINDING_BITS)",
)(takes(lambda: Harary(8, grinding_bits=63)))

test_every_check_has_its_attack, test_an_attack_needs_its_check_gone = attacks.tests()
