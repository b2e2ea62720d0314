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

    >>> try:
    ...     secagg.wire.decode(b"?")
    ... except secagg.SecAggError as error:
    ...     print(error, error.sender, error.about)
    version 63, expected version 3 None ()
    """

    def __init__(
        self, message: str = "", *, sender: int | None = None, about: tuple[int, ...] = ()
    ) -> None:
        super().__init__(message)
        self.sender = sender
        self.about = about


class LocalProtocolError(SecAggError):
    """Our own caller's mistake: a wrong shape, an unknown client id, a method called too early.

    >>> secagg.VectorSpec("x", 3, 65)
    Traceback (most recent call last):
    secagg.errors.LocalProtocolError: vector 'x': 65 bits, expected 1..64
    """


class RemoteProtocolError(SecAggError):
    """A peer's message is not what the protocol allows at this point.

    Raised by a client, it ends the session for that client (its state is `Aborted`); raised by the
    server, it refuses one message and leaves the session as it was.

    >>> client = secagg.Client(
    ...     7, params, np.zeros(2, np.uint32), signing_key=keys[7], directory=directory
    ... )
    >>> client.receive(client.start())  # its own message, in place of the server's
    Traceback (most recent call last):
    secagg.errors.RemoteProtocolError: a AdvertiseKeys while the client is Advertised, expected ...
    """


class DecodeError(RemoteProtocolError):
    """Bytes that are not the one encoding of a message.

    >>> secagg.wire.decode(b"")
    Traceback (most recent call last):
    secagg.errors.DecodeError: an empty frame, expected version 3
    """


class TooFewClients(SecAggError):
    """Fewer clients than the threshold finished a round: the session ends without a sum.

    >>> inputs = {u: np.zeros(2, np.uint32) for u in (4, 7, 9)}
    >>> secagg.run(secagg.Params(3, [secagg.VectorSpec("x", 2, 32)]), inputs, drop={4: 1})
    Traceback (most recent call last):
    secagg.errors.TooFewClients: 2 clients shared keys, expected at least 3
    """


@contextmanager
def signed_by(u: int) -> Iterator[None]:
    """What is found wrong here was signed by u: its `sender`. For use after the signature holds."""
    try:
        yield
    except RemoteProtocolError as error:
        error.sender = u
        raise
