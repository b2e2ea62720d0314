"""A client's own configuration of one session: its id, its parameters, its identity key."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from secagg.errors import LocalProtocolError, RemoteProtocolError
from secagg.identity.directory import Directory, check_id
from secagg.keys import Transcript
from secagg.messages import Authored
from secagg.params import Params
from secagg.roster import RosterChecks
from secagg.sharing.shamir import Rand

Reply = TypeVar("Reply", bound=Authored)


@dataclass(frozen=True)
class Member:
    """What a client keeps through all rounds; the arguments are those of `Client`.

    Raises:
        LocalProtocolError: for parameters without a server key, a key that is not the directory's.
    """

    u: int
    params: Params
    signing_key: Ed25519PrivateKey = field(repr=False)
    directory: Directory = field(repr=False)
    certificate: bytes = field(repr=False)
    rand: Rand = field(repr=False)
    checks: RosterChecks = field(repr=False)

    def __post_init__(self) -> None:
        check_id(self.u)
        self.params.need_server_key()
        if not isinstance(self.signing_key, Ed25519PrivateKey):
            seen = type(self.signing_key).__name__
            raise LocalProtocolError(f"the signing key is a {seen}, expected an Ed25519PrivateKey")
        if type(self.certificate) is not bytes:
            seen = type(self.certificate).__name__
            raise LocalProtocolError(f"the certificate is a {seen}, expected bytes")
        try:
            identity = self.directory.identity(self.u, self.certificate)
        except RemoteProtocolError as error:
            raise LocalProtocolError(str(error)) from None
        if self.signing_key.public_key().public_bytes_raw() != identity:
            raise LocalProtocolError(
                f"the signing key is another, expected the one that the directory has for {self.u}"
            )

    @cached_property
    def transcript(self) -> Transcript:
        """What round 0 is bound to: there is no roster yet."""
        return Transcript(self.params.digest(self.directory.digest))

    def signed(self, reply: Reply, transcript: Transcript, body: bytes) -> Reply:
        """The reply with this client's signature of `body`, which says what is in it."""
        signature = transcript.sign(self.signing_key, reply.round, self.u, body)
        return msgspec.structs.replace(reply, signature=signature)
