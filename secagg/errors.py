"""The errors of the package: each says what was seen and what was expected, and nothing private."""


class SecAggError(Exception):
    """Anything this package refuses to do.

    Attributes:
        clients: the client ids it is about, where there are any: whom to leave out next time.
    """

    def __init__(self, message: str = "", *, clients: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.clients = clients


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
