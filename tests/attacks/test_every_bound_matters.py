"""Each bound in a message's type is removed in turn, and then a frame passes that must not.

The types of `messages` refuse by themselves: sizes of keys and signatures, the range of an id, the
length of a list, no field more than there is.  `bounds` finds every one in the source; `BEYOND` has
for each the frame beyond it, which the decoder refuses, and which the decoder of the same types
without that one bound takes.
"""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import msgspec
import pytest

from secagg import messages, wire
from secagg.errors import DecodeError
from secagg.parameters import MAX_CLIENTS
from secagg.params import MAX_VECTORS

KEY, SIGNATURE = bytes(32), bytes(64)


@dataclass(frozen=True)
class Bound:
    """One keyword of one type in messages.py, by its place in the source."""

    place: int
    says: str


def bounds() -> list[Bound]:
    """All of them, in the order of the source."""
    return [Bound(i, f"{where}: {keyword.arg}") for i, (where, _, keyword) in enumerate(_found())]


def _found(tree: ast.Module | None = None) -> Iterator[tuple[str, Any, ast.keyword]]:
    tree = tree or ast.parse(inspect.getsource(messages))
    for statement in tree.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "msgspec.Meta":
                yield from ((_name(statement, node), node, k) for k in node.keywords)
            if isinstance(node, ast.ClassDef):
                strict = (k for k in node.keywords if k.arg == "forbid_unknown_fields")
                yield from ((node.name, node, k) for k in strict)


def _name(statement: ast.stmt, call: ast.Call) -> str:
    """The alias that the bound is of, or the class and the field."""
    if isinstance(statement, ast.ClassDef):
        [field] = [
            line.target.id
            for line in statement.body
            if isinstance(line, ast.AnnAssign)
            and isinstance(line.target, ast.Name)
            and call in ast.walk(line)
        ]
        return f"{statement.name}.{field}"
    assert isinstance(statement, ast.Assign)
    return ast.unparse(statement.targets[0])


def decoder_without(bound: Bound) -> msgspec.msgpack.Decoder[Any]:
    """A decoder of the same messages, but for this bound."""
    tree = ast.parse(inspect.getsource(messages))
    _, node, keyword = list(_found(tree))[bound.place]
    node.keywords.remove(keyword)
    module = ModuleType("messages_without_a_bound")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, module.__name__, module)
        exec(compile(ast.fix_missing_locations(tree), module.__name__, "exec"), vars(module))
        return msgspec.msgpack.Decoder(module.AnyMessage)


def hello(u: Any = 1, **changes: bytes) -> list[Any]:
    fields = {
        "c_pk": KEY,
        "s_pk": KEY,
        "commitment": KEY,
        "certificate": b"",
        "signature": SIGNATURE,
    }
    return [0, u, *(fields | changes).values()]


many = [0] * (MAX_CLIENTS + 1)
BEYOND: dict[str, list[Any]] = {
    "ClientId: ge": hello(-1),
    "ClientId: le": hello(2**63),
    "PublicKey: min_length": hello(c_pk=KEY[1:]),
    "PublicKey: max_length": hello(s_pk=KEY + b"\0"),
    "Digest: min_length": hello(commitment=KEY[1:]),
    "Digest: max_length": hello(commitment=KEY + b"\0"),
    "Signature: min_length": hello(signature=SIGNATURE[1:]),
    "Signature: max_length": hello(signature=SIGNATURE + b"\0"),
    "Certificate: max_length": hello(certificate=bytes(97)),
    "Ids: max_length": [5, many],
    "Packed: max_length": [4, 1, [b""] * (MAX_VECTORS + 1), [], SIGNATURE],
    "Message: forbid_unknown_fields": [5, [], 0],
}


def test_every_bound_has_its_frame() -> None:
    assert {bound.says for bound in bounds()} == BEYOND.keys()
    assert len(bounds()) == len(BEYOND)


@pytest.mark.parametrize("bound", bounds(), ids=lambda bound: bound.says)
def test_the_frame_passes_if_and_only_if_the_bound_is_gone(bound: Bound) -> None:
    raw = msgspec.msgpack.encode(BEYOND[bound.says])
    with pytest.raises(DecodeError, match="expected a message"):
        wire.decode(bytes([wire.VERSION]) + raw)
    decoder_without(bound).decode(raw)
