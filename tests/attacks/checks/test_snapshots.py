"""Each check of a stored snapshot is removed in turn, and another blob is taken for it."""

from collections.abc import Callable

import secagg
from tests.helpers.attacks import says, takes
from tests.helpers.breaks import Attack, Attacks
from tests.helpers.hosts import Host
from tests.helpers.party import Party
from tests.helpers.removed import ROOMS

attacks = Attacks(*ROOMS["snapshots"])
breaks = attacks.breaks


def restored_from(change: Callable[[bytes], bytes]) -> Attack:
    """A blob that is not the one that was stored."""

    def attack() -> bool:
        host = Host(Party(5), 10)
        host.client.start()
        host.restored_from(change(host.disk[1]), 1)
        return True

    return attack


breaks("snapshots.sealed.check_key", "len(key) not in (16, 32)")(
    takes(lambda: secagg.SnapshotStore(b"short", lambda blob, generation: None))
)
breaks("snapshots.sealed.unseal", "len(raw) < _HEADER_BYTES")(restored_from(lambda blob: b""))
breaks("snapshots.sealed.unseal", "raw[0] != LAYOUT")(restored_from(lambda blob: b"\5" + blob[1:]))
breaks("snapshots.sealed.unseal", "seen_generation != generation")(
    says("generation", restored_from(lambda blob: blob[:8] + b"\1" + blob[9:]))
)

test_every_check_has_its_attack, test_an_attack_needs_its_check_gone = attacks.tests()
