"""Each check of bytes on their way in is removed in turn, and other bytes are taken."""

import secagg
from secagg import wire
from secagg.messages import SessionEnd, Survivors
from secagg.packing import unpack
from tests.helpers.attacks import says, server_takes, takes
from tests.helpers.breaks import Attacks
from tests.helpers.party import Party
from tests.helpers.removed import ROOMS

attacks = Attacks(*ROOMS["wire"])
breaks = attacks.breaks

# Frames.

breaks("wire.decode", "view.nbytes == 0")(takes(lambda: wire.decode(b"")))
breaks("wire.decode", "view[0] != VERSION")(
    says("version 4", lambda: wire.decode(b"\4" + wire.encode(Survivors((10,)))[1:]))
)


@breaks("wire.decode", "_encode(message) != view")
def another_encoding() -> bool:
    """An id of one byte, written in two."""
    frame = wire.encode(Survivors((10,)))
    wire.decode(frame.replace(b"\x91\x0a", b"\x91\xcc\x0a"))
    return True


# Vectors and shares.

breaks("packing.unpack", "raw.nbytes != size")(server_takes("a vector too long", and_breaks=True))


@breaks("packing._unpack_general", "octets[-1] >> 8 - unused")
def padding() -> bool:
    spec = secagg.VectorSpec("narrow", 3, 13)
    unpack(spec, 4, memoryview(b"\xff" * 7))
    return True


breaks("sharing.shamir.from_digits", "value >= 2 ** (8 * SECRET_BYTES)")(
    takes(lambda: secagg.sharing.shamir.from_digits([65520] * 17))
)
breaks("sharing.shamir.decode_shares", "residues.size and residues.max() >= P")(
    server_takes("a share whose digit is no field element")
)

# The end.


@breaks("ending.check_end", "_mac(key, message.summed).verify(message.tag)")
def an_end_that_somebody_else_says() -> bool:
    Party(5).after(1).clients[10].end(SessionEnd(True, bytes(32)))
    return True


test_every_check_has_its_attack, test_an_attack_needs_its_check_gone = attacks.tests()
