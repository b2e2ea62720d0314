"""Each check of the server outside its rounds is removed in turn, and an attack on it succeeds."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import secagg
from secagg.messages import UNSIGNED, ShareKeys, Survivors
from tests.helpers.attacks import ends_wrong, says, server_takes
from tests.helpers.breaks import Attacks
from tests.helpers.lying_client import LIAR
from tests.helpers.party import SERVER_KEY, Party
from tests.helpers.removed import ROOMS

attacks = Attacks(*ROOMS["server"])
breaks = attacks.breaks
SERVER = "server.server.Server"

# Who speaks, and when.


@breaks(f"{SERVER}.receive", "not isinstance(message, ClientMessage)")
def a_message_of_a_server() -> bool:
    Party(5).server.receive(10, Survivors((10,)))
    return True


@breaks(f"{SERVER}.receive", "isinstance(current, Aggregate | Failed)")
def a_message_after_the_end() -> bool:
    party = Party(5).after(4)
    party.server.receive(10, party.replies[10])
    return True


@breaks(f"{SERVER}.receive", "self._check_author(u, message, current)")
@breaks(f"{SERVER}._check_author", "u in current.answered")
def twice() -> bool:
    """The same y_u two times."""
    party = Party(5).after(1)
    party.collect()
    party.server.receive(LIAR, party.replies[LIAR])
    party.close()
    return ends_wrong(party)


@breaks(f"{SERVER}._check_author", "message.u != u")
def somebody_elses_vector() -> bool:
    """LIAR forwards 10's message as its own: y_10 is added twice, y_50 never."""
    party = Party(5).after(1)
    party.collect(but=[LIAR])
    party.server.receive(LIAR, party.replies[10])
    party.close()
    party.outbox.pop(LIAR, None)
    return ends_wrong(party)


@breaks(
    f"{SERVER}._check_author",
    "not isinstance(current, Advertising) and u not in current.rostered.roster.index",
)
def outsider() -> bool:
    party = Party(5, outsiders=1).after(0)
    party.server.receive(60, ShareKeys(60, memoryview(b""), UNSIGNED))
    return True


# The key that clients seal to.


def a_server_with(private_key: Any) -> secagg.Server:
    """A server that its host gave another private key than the clients seal to."""
    party = Party(5)
    return secagg.Server(party.params, directory=party.directory, private_key=private_key)


@breaks(f"{SERVER}.__init__", "_check_key(params, private_key)")
@breaks(
    "server.server._check_key",
    "private_key.public_key().public_bytes_raw() != params.server_key",
)
def another_private_key() -> bool:
    a_server_with(X25519PrivateKey.from_private_bytes(bytes(32)))
    return True


@breaks("server.server._check_key", "not isinstance(private_key, X25519PrivateKey)")
def the_bytes_of_the_private_key() -> bool:
    a_server_with(SERVER_KEY.private_bytes_raw())
    return True


breaks("server.server._check_key", "params.need_server_key()")(
    says("no server_key", lambda: Party(5, server_key=b""))
)
breaks("server_sealing.open_at_server", "check_x25519(e_pk)")(
    server_takes("an ephemeral key of low order")
)

test_every_check_has_its_attack, test_an_attack_needs_its_check_gone = attacks.tests()
