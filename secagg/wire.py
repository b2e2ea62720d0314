"""Messages to bytes and back: total, versioned, and one encoding per message.

    frame = version byte ‖ MessagePack array [tag, field, field, ...]

`decode` gives a message or DecodeError, whatever the bytes.  msgspec alone would accept an integer
or a length written in more bytes than it needs, so the message is encoded again and compared: what
two parties hash is what they received.  Packed fields are views of the frame and copy nothing.
It does not judge what a message says: `Client` and `Server` do.

>>> client = secagg.Client(
...     7, params, np.zeros(2, np.uint32), signing_key=keys[7], directory=directory
... )
>>> frame = secagg.wire.encode(hello := client.start())
>>> len(frame), secagg.wire.decode(frame) == hello
(174, True)
"""

from collections.abc import Iterator, Mapping

import msgspec

from secagg.errors import DecodeError
from secagg.keys import VERSION, Buffer
from secagg.messages import AnyMessage

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AnyMessage)


def encode(message: AnyMessage) -> bytes:
    """The one encoding of a message."""
    return bytes(_encode(message))


def encode_all(outbox: Mapping[int, AnyMessage]) -> Iterator[tuple[int, bytes]]:
    """(receiver, frame) in order; a message to many receivers in a row is encoded once."""
    last, frame = None, b""
    for u, message in outbox.items():
        if message is not last:
            last, frame = message, encode(message)
        yield u, frame


def decode(frame: Buffer) -> AnyMessage:
    """The message in a frame; its packed fields are views of `frame`.

    A memoryview of other items than single bytes, or with gaps, is read as its bytes: copied.

    Raises:
        DecodeError: for anything that `encode` would not have produced.
    """
    view = memoryview(frame)
    if (view.format, view.ndim, view.c_contiguous) != ("B", 1, True):
        view = memoryview(view.tobytes())
    if view.nbytes == 0 or view[0] != VERSION:
        seen = f"version {view[0]}" if view.nbytes else "an empty frame"
        raise DecodeError(f"{seen}, expected version {VERSION}")
    try:
        message: AnyMessage = _decoder.decode(view[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"{view.nbytes} bytes, expected a message: {error}") from None
    if _encode(message) != view:
        raise DecodeError(
            f"a {type(message).__name__} in another encoding, expected the canonical one"
        )
    return message


def _encode(message: AnyMessage) -> bytearray:
    frame = bytearray((VERSION,))
    _encoder.encode_into(message, frame, 1)
    return frame
