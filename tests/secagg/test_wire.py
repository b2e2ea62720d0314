"""Any bytes are one message, written in the only way there is, or a DecodeError."""

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secagg import messages as m
from secagg.errors import DecodeError, RemoteProtocolError
from secagg.messages import AnyMessage
from secagg.wire import decode, encode
from tests.helpers.strategies import MAX_ID, ids, messages

KEY, SIGNATURE = bytes(range(32)), bytes(range(64))
HELLO = m.AdvertiseKeys(7, KEY, KEY[::-1], bytes(32), KEY + SIGNATURE, SIGNATURE)
TAGS = {
    m.AdvertiseKeys: 0,
    m.Roster: 1,
    m.ShareKeys: 2,
    m.Ciphertexts: 3,
    m.MaskedInput: 4,
    m.Survivors: 5,
    m.ConsistencyCheck: 6,
    m.Signatures: 7,
    m.Unmasking: 8,
    m.SessionEnd: 9,
}
ONE_OF_EACH: list[AnyMessage] = [
    HELLO,
    m.Roster.of((HELLO, m.AdvertiseKeys(MAX_ID, KEY, KEY, KEY, KEY + SIGNATURE, SIGNATURE))),
    m.ShareKeys(300, memoryview(bytes(range(256))), SIGNATURE),
    m.Ciphertexts((1, 128, 70000), memoryview(b"sealed")),
    m.MaskedInput(0, (memoryview(b"abc"), memoryview(b"")), (5, 2**40), SIGNATURE),
    m.Survivors(tuple(range(20))),
    m.ConsistencyCheck(127, SIGNATURE),
    m.Signatures.of((3, 4), (SIGNATURE, bytes(64))),
    m.Unmasking(2**32, memoryview(bytes(34)), SIGNATURE),
    m.SessionEnd(True, KEY),
]


def name(message: AnyMessage) -> str:
    return type(message).__name__


def refused(frame: bytes, match: str | None = None) -> None:
    with pytest.raises(DecodeError, match=match):
        decode(frame)


# MessagePack by hand, as much of it as the protocol needs


def packed_int(value: int) -> bytes:
    """The shortest unsigned form."""
    if value < 128:
        return bytes([value])
    size = next(size for size in (1, 2, 4, 8) if value < 256**size)
    return bytes([{1: 0xCC, 2: 0xCD, 4: 0xCE, 8: 0xCF}[size]]) + value.to_bytes(size, "big")


def packed_bytes(raw: bytes) -> bytes:
    size = next(size for size in (1, 2, 4) if len(raw) < 256**size)
    return bytes([{1: 0xC4, 2: 0xC5, 4: 0xC6}[size]]) + len(raw).to_bytes(size, "big") + raw


def packed_list(items: list[bytes]) -> bytes:
    count = len(items)
    head = bytes([0x90 | count]) if count < 16 else b"\xdc" + count.to_bytes(2, "big")
    return head + b"".join(items)


def by_hand(value: object) -> bytes:
    match value:
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return packed_int(value)
        case bytes() | memoryview():
            return packed_bytes(bytes(value))
        case tuple():
            return packed_list([by_hand(item) for item in value])
    fields = [by_hand(getattr(value, field)) for field in value.__struct_fields__]
    return packed_list([packed_int(TAGS[type(value)]), *fields])


def other_ints(value: int) -> Iterator[bytes]:
    """Every MessagePack form of a number that is not the shortest unsigned one."""
    for code, size in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)):
        if value < 256**size:
            yield bytes([code]) + value.to_bytes(size, "big")
    for code, size in ((0xD0, 1), (0xD1, 2), (0xD2, 4), (0xD3, 8)):
        if value < 256**size // 2:
            yield bytes([code]) + value.to_bytes(size, "big")


# Roundtrip


@given(messages)
def test_decode_inverts_encode(message: AnyMessage) -> None:
    frame = encode(message)
    assert type(frame) is bytes
    decoded = decode(frame)
    assert type(decoded) is type(message)
    assert decoded == message
    assert encode(decoded) == frame


@given(messages)
def test_the_encoding_is_messagepack_as_written_by_hand(message: AnyMessage) -> None:
    assert encode(message) == b"\x03" + by_hand(message)


def test_one_of_each_is_all_there_are() -> None:
    assert {type(message) for message in ONE_OF_EACH} == set(TAGS)
    assert set(TAGS) == set((m.ClientMessage | m.ServerMessage).__args__)


@given(messages, messages)
def test_two_messages_have_two_encodings(one: AnyMessage, two: AnyMessage) -> None:
    assert (one == two) == (encode(one) == encode(two))


@given(messages)
def test_any_buffer_is_read_alike(message: AnyMessage) -> None:
    frame = encode(message)
    for form in (bytearray(frame), memoryview(frame), memoryview(b"--" + frame)[2:]):
        assert decode(form) == message


def test_a_buffer_of_other_items_or_with_gaps_is_read_as_its_bytes() -> None:
    message = m.Survivors((1, 2, 300))
    frame = encode(message)
    assert len(frame) == 9
    gaps = memoryview(bytes(b for byte in frame for b in (byte, 0)))[::2]
    for form in (memoryview(frame).cast("c"), memoryview(frame).cast("b"), gaps):
        assert decode(form) == message
    assert decode(memoryview(frame).cast("B", (3, 3))) == message


def test_a_packed_field_is_a_view_of_the_frame() -> None:
    frame = encode(m.ShareKeys(1, memoryview(bytes(1000)), SIGNATURE))
    view = decode(frame).ciphertexts
    whole = np.frombuffer(frame, np.uint8)
    assert np.shares_memory(np.frombuffer(view, np.uint8), whole)
    assert view.readonly


# Everything else


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_message_or_a_decode_error(raw: bytes, versioned: bool) -> None:
    frame = b"\x03" + raw if versioned else raw
    try:
        message = decode(frame)
    except DecodeError:
        return
    assert encode(message) == frame


values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers(-(2**63), 2**64 - 1)
    | ids
    | st.binary(max_size=70)
    | st.sampled_from([KEY, SIGNATURE])
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=12,
)


@given(st.integers(-1, 10), st.lists(values, max_size=6))
def test_any_values_are_a_message_or_a_decode_error(tag: int, fields: list[object]) -> None:
    frame = b"\x03" + msgspec.msgpack.encode([tag, *fields])
    try:
        message = decode(frame)
    except DecodeError:
        return
    assert encode(message) == frame


@given(messages, st.data())
def test_a_changed_byte_is_another_message_or_a_decode_error(
    message: AnyMessage, data: st.DataObject
) -> None:
    frame = bytearray(encode(message))
    place = data.draw(st.integers(0, len(frame) - 1))
    frame[place] ^= data.draw(st.integers(1, 255))
    try:
        other = decode(frame)
    except DecodeError:
        return
    assert other != message
    assert encode(other) == frame


@pytest.mark.parametrize("message", ONE_OF_EACH, ids=name)
def test_every_flipped_bit_is_another_message_or_a_decode_error(message: AnyMessage) -> None:
    frame = encode(message)
    outcomes = {True: 0, False: 0}
    for bit in range(8 * len(frame)):
        flipped = bytearray(frame)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            other = decode(flipped)
        except DecodeError:
            outcomes[False] += 1
        else:
            outcomes[True] += 1
            assert other != message
            assert encode(other) == flipped
    assert all(outcomes.values())


@pytest.mark.parametrize("message", ONE_OF_EACH, ids=name)
def test_a_shorter_frame_is_refused(message: AnyMessage) -> None:
    frame = encode(message)
    for size in range(len(frame)):
        refused(frame[:size])


@given(messages, st.binary(min_size=1, max_size=9))
def test_nothing_may_follow_the_message(message: AnyMessage, tail: bytes) -> None:
    refused(encode(message) + tail)


@pytest.mark.parametrize("version", [0, 1, 2, *range(4, 256)])
def test_another_version_is_refused(version: int) -> None:
    frame = bytes([version]) + encode(HELLO)[1:]
    refused(frame, f"version {version}, expected version 3")


def test_an_empty_frame_is_refused() -> None:
    refused(b"", "an empty frame, expected version 3")
    refused(b"\x03")


@pytest.mark.parametrize("nesting", [b"\x91", b"\x92\x05", b"\x92\x05\x91", b"\x81\xa1x"])
@pytest.mark.parametrize("depth", [10, 2000, 10**6])
def test_deep_nesting_is_refused(nesting: bytes, depth: int) -> None:
    refused(b"\x03" + nesting * depth)
    refused(b"\x03" + nesting * depth + b"\x00")


@pytest.mark.parametrize(
    "head", [b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdc\xff\xff"]
)
def test_a_length_that_the_frame_does_not_have_is_refused(head: bytes) -> None:
    refused(b"\x03" + head, "expected a message")
    refused(b"\x03\x92\x05" + head, "expected a message")
    refused(b"\x03\x93\x03\x90" + head, "expected a message")


# One encoding for each message


@given(ids)
def test_a_number_has_one_form(u: int) -> None:
    head, shortest = b"\x03\x92\x05\x91", packed_int(u)
    assert decode(head + shortest) == m.Survivors((u,))
    for form in other_ints(u):
        if form != shortest:
            refused(head + form, "expected the canonical one")


def test_a_signed_form_as_long_as_the_unsigned_one_is_refused() -> None:
    assert decode(bytes.fromhex("03920591cd012c")) == m.Survivors((300,))
    refused(bytes.fromhex("03920591d1012c"), "expected the canonical one")  # int16
    assert decode(bytes.fromhex("03920591ccc8")) == m.Survivors((200,))
    refused(bytes.fromhex("03920591d0c8"))  # int8, so −56
    refused(bytes.fromhex("03920591cb4072c00000000000"))  # 300.0
    refused(bytes.fromhex("03920591a3333030"))  # "300"
    refused(bytes.fromhex("03920591c3"))  # true


@pytest.mark.parametrize("tag", range(9))
def test_a_tag_has_one_form(tag: int) -> None:
    frame = encode(ONE_OF_EACH[tag])
    assert frame[2] == tag
    for form in other_ints(tag):
        refused(frame[:2] + form + frame[3:], "expected the canonical one")


@pytest.mark.parametrize("message", ONE_OF_EACH, ids=name)
def test_the_length_of_a_message_has_one_form(message: AnyMessage) -> None:
    frame = encode(message)
    fields = frame[1] & 15
    for head in (b"\xdc" + fields.to_bytes(2, "big"), b"\xdd" + fields.to_bytes(4, "big")):
        refused(b"\x03" + head + frame[2:], "expected the canonical one")


@pytest.mark.parametrize("count", [0, 1, 15, 16, 40])
def test_the_length_of_a_list_has_one_form(count: int) -> None:
    body = b"\x05" * count
    forms = [b"\xdc" + count.to_bytes(2, "big"), b"\xdd" + count.to_bytes(4, "big")]
    shortest = bytes([0x90 | count]) if count < 16 else forms.pop(0)
    assert decode(b"\x03\x92\x05" + shortest + body) == m.Survivors((5,) * count)
    for form in forms:
        refused(b"\x03\x92\x05" + form + body, "expected the canonical one")


@pytest.mark.parametrize("count", [0, 1, 255, 256, 65535, 65536])
def test_the_length_of_bytes_has_one_form(count: int) -> None:
    forms = [
        code + count.to_bytes(size, "big")
        for code, size in ((b"\xc4", 1), (b"\xc5", 2), (b"\xc6", 4))
        if count < 256**size
    ]
    head, body = b"\x03\x93\x03\x90", bytes(count)
    assert decode(head + forms[0] + body) == m.Ciphertexts((), memoryview(body))
    for form in forms[1:]:
        refused(head + form + body, "expected the canonical one")


def test_bytes_are_not_written_as_a_string_or_a_list() -> None:
    head = b"\x03\x93\x03\x90"
    assert decode(head + b"\xc4\x01a") == m.Ciphertexts((), memoryview(b"a"))
    refused(head + b"\xa1a")
    refused(head + b"\xd9\x01a")
    refused(head + b"\xd9\x01\xff")  # no UTF-8 either
    refused(head + b"\x91\x61")
    refused(head + b"\xc7\x01\x05a")  # an extension


# What a field may hold


def with_id(u: int) -> bytes:
    return b"\x03\x93\x06" + packed_int(u) + packed_bytes(SIGNATURE)


def test_an_id_ends_at_2_63() -> None:
    assert decode(with_id(0)).u == 0
    assert decode(with_id(2**63 - 1)) == m.ConsistencyCheck(2**63 - 1, SIGNATURE)
    for u in (2**63, 2**64 - 1):
        refused(with_id(u), "expected a message")
    refused(b"\x03\x93\x06\xff" + packed_bytes(SIGNATURE), "expected a message")  # −1
    refused(
        b"\x03\x93\x06\xd3\x80" + bytes(7) + packed_bytes(SIGNATURE), "expected a message"
    )  # −2^63


@pytest.mark.parametrize(
    ("place", "extra"), [*((place, extra) for place in (1, 2, 3, 5) for extra in (-1, 1)), (4, 1)]
)
def test_keys_digests_certificates_and_signatures_have_their_sizes(place: int, extra: int) -> None:
    """Of a shorter certificate the directory judges."""
    fields = [getattr(HELLO, field) for field in HELLO.__struct_fields__]
    assert decode(b"\x03" + packed_list([b"\x00", *map(by_hand, fields)])) == HELLO
    fields[place] = bytes(len(fields[place]) + extra)
    refused(b"\x03" + packed_list([b"\x00", *map(by_hand, fields)]), "expected a message")


@pytest.mark.parametrize("message", ONE_OF_EACH, ids=name)
def test_a_field_too_few_or_too_many_is_refused(message: AnyMessage) -> None:
    fields = [getattr(message, field) for field in message.__struct_fields__]
    items = [packed_int(TAGS[type(message)]), *map(by_hand, fields)]
    assert decode(b"\x03" + packed_list(items)) == message
    refused(b"\x03" + packed_list(items[:-1]))
    refused(b"\x03" + packed_list([*items, b"\x00"]))
    refused(b"\x03" + packed_list([*items, b"\xc0"]))


@pytest.mark.parametrize("tag", [9, 127, 128, 2**63, 2**64 - 1])
def test_an_unknown_tag_is_refused(tag: int) -> None:
    refused(b"\x03" + packed_list([packed_int(tag)]))
    refused(b"\x03" + packed_list([packed_int(tag), b"\x90"]))


def test_only_an_advertisement_stands_in_a_roster() -> None:
    refused(b"\x03\x92\x01\x91" + encode(ONE_OF_EACH[6])[1:])
    refused(b"\x03\x92\x01\x91" + encode(m.Roster.of(()))[1:])


def test_a_decode_error_is_a_peers_fault() -> None:
    assert issubclass(DecodeError, RemoteProtocolError)
