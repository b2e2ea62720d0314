"""Each check of who is who is removed in turn: of directories, certificates and public keys."""

from typing import Any

import secagg
from secagg.curve import P, check_x25519
from tests.helpers.attacks import a_stranger_far_away, agreed, client_takes, low_order, says, takes
from tests.helpers.breaks import Attack, Attacks
from tests.helpers.certificates import CA, Lie, anybody_signs, brings, opened_by, self_certified
from tests.helpers.lying_client import LIAR
from tests.helpers.party import SERVER_PUBLIC, Party
from tests.helpers.removed import ROOMS

attacks = Attacks(*ROOMS["identity"])
breaks = attacks.breaks


def enrolled(key: Any, u: Any = 60) -> Attack:
    """Success is that a directory pins this key for u."""
    return takes(lambda: secagg.Pinned({**Party(5).directory, u: key}))


# Pinned keys.

breaks("identity.directory.Pinned.__init__", "check_entry(u, keys[u])")(enrolled(bytes(32)))
breaks("identity.directory.Pinned.__init__", "(v := owners.setdefault(keys[u], u)) != u")(
    enrolled(Party(5).directory[50])
)
breaks("identity.directory.Pinned.check_holds", "unknown")(a_stranger_far_away)
breaks("identity.directory.Pinned.__init__", "check_server_key(server_key)")(
    takes(lambda: secagg.Pinned(Party(5).directory, bytes(32)))
)


@breaks("identity.directory.Pinned.identity", "certificate")
def a_certificate_that_nobody_reads() -> bool:
    """Whatever stands there is relayed to everybody, and signed."""
    party = Party(5)
    hello = party.signed(party.clients[LIAR].start(), certificate=bytes(96))
    party.server.receive(LIAR, hello)
    return True


new_key = Party(6).directory[60]
breaks("identity.directory.check_id", "type(u) is not int")(enrolled(new_key, u="60"))
breaks("identity.directory.check_id", "not 0 <= u < 2 ** 63")(enrolled(new_key, u=2**63))
breaks("identity.directory.check_entry", "check_id(u)")(enrolled(new_key, u=2**63))
breaks("identity.directory.check_entry", "type(key) is not bytes")(
    takes(lambda: secagg.identity.directory.check_entry(60, bytearray(new_key)))
)

# Certified keys.


def a_server_takes(lie: Lie) -> Attack:
    """A corrupt client of an authority advertises this."""

    def taken() -> bool:
        party = Party(5, ca=CA)
        party.server.receive(LIAR, lie(party, party.answer(LIAR)))
        return True

    return taken


breaks("identity.authority.Authority.identity", "len(certificate) != CERTIFICATE_BYTES")(
    says("a certificate of 0 bytes", a_server_takes(brings(LIAR, b"")))
)
breaks("identity.authority.Authority.identity", "self._ca.verify(signature, _statement(u, key))")(
    opened_by(self_certified)
)
breaks("identity.authority.Authority.identity", "check_entry(u, key)")(
    a_server_takes(anybody_signs)
)
breaks("identity.authority.Authority.__post_init__", "check_server_key(self.server_key)")(
    takes(lambda: secagg.Authority(new_key, bytes(32)))
)

# Public keys.

breaks("curve.check_x25519", "u >= P")(client_takes("roster: a non-canonical c_pk"))
breaks("curve.check_x25519", "u in LOW_ORDER_U")(low_order("s_pk"))
breaks("curve.check_ed25519", "y >= P")(enrolled((P + 3).to_bytes(32, "little")))
breaks("curve.check_ed25519", "y in SMALL_ORDER_Y")(enrolled(bytes(32)))
breaks("curve.check_ed25519", "not _on_curve(y)")(enrolled((2).to_bytes(32, "little")))
breaks("curve._integer", "len(raw) != 32")(takes(lambda: check_x25519(b"\x09" + bytes(30))))
breaks("curve.check_server_key", "type(raw) is not bytes")(
    agreed(5, server_key=bytearray(SERVER_PUBLIC))
)
breaks("curve.check_server_key", "check_x25519(raw)")(agreed(5, server_key=bytes(32)))

test_every_check_has_its_attack, test_an_attack_needs_its_check_gone = attacks.tests()
