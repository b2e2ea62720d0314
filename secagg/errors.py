"""The errors of the package: each says what was seen and what was expected, and nothing private."""

from collections.abc import Iterator
from contextlib import contextmanager


class SecAggError(Exception):
    """Anything this package refuses to do.

    Attributes:
        sender: the client whose valid signature is on what was refused; None where no signature
            was verified, so that nobody is named for what the network, or an impostor, sent.
        about: the clients whose secret or key it concerns. This is no evidence against them: one
            liar can make an error be about somebody honest.
    """

    def __init__(
        self, message: str = "", *, sender: int | None = None, about: tuple[int, ...] = ()
    ) -> None:
        super().__init__(message)
        self.sender = sender
        self.about = about


class LocalProtocolError(SecAggError):
    """Our own caller's mistake: a wrong shape, an unknown client id, a method called too early."""


class RemoteProtocolError(SecAggError):
    """A peer's message is not what the protocol allows at this point.

    Raised by a client, it ends the session for that client (its state is `Aborted`); raised by the
    server, it refuses one message and leaves the session as it was.
    """


class DecodeError(RemoteProtocolError):
    """Bytes that are not the one encoding of a message."""


class TooFewClients(SecAggError):
    """Fewer clients than the threshold finished a round: the session ends without a sum."""


@contextmanager
def signed_by(u: int) -> Iterator[None]:
    """What is found wrong here was signed by u: its `sender`. For use after the signature holds."""
    try:
        yield
    except RemoteProtocolError as error:
        error.sender = u
        raise
