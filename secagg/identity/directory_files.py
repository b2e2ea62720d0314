"""The text form of a directory: TOML or JSON, as the suffix of the file says.

    {"clients": {"17": "<key>"}}  or  {"authority": "<key>"}     in hex, or base64 with its padding
    and in either, if a server is named, {"server": "<key>"}

Reading is strict, because what can be read in two ways can be checked in one and used in the other:
no name twice, ids in plain decimal, no unknown names. Nothing here knows what a good key is, and
nothing is locked: one writer at a time.
"""

import base64
import contextlib
import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from secagg.errors import LocalProtocolError

_ID: Final = re.compile("0|[1-9][0-9]{0,18}")


SERVER: Final = "server"


def read(path: str | Path, *kinds: set[str]) -> dict[str, object]:
    """The top-level table of a file: the names of one of the `kinds`, and `server` if it is there.

    Raises LocalProtocolError naming the file, OSError if it cannot be read.
    """
    form = _FORMS[_suffix(path)]
    try:
        table = form.load(Path(path).read_text("utf-8"))
    except (ValueError, RecursionError) as error:  # of json, tomllib, utf-8, and _once
        raise LocalProtocolError(f"{path}: {error}") from None
    if not isinstance(table, dict) or set(table) - {SERVER} not in kinds:
        seen = sorted(table) if isinstance(table, dict) else type(table).__name__
        expected = " or ".join(str(sorted(names)) for names in kinds)
        raise LocalProtocolError(f"{path}: {seen}, expected {expected} and nothing else")
    return table


def entries(path: str | Path, section: object, size: int) -> dict[int, bytes]:
    """A section as {client id: `size` bytes}; LocalProtocolError names the file and the entry."""
    if not isinstance(section, dict):
        raise LocalProtocolError(f"{path}: {section!r}, expected a table of client ids")
    for name in section:
        if not _ID.fullmatch(name):
            raise LocalProtocolError(
                f"{path}: client {name!r}, expected an id that is a plain decimal number"
            )
    return {int(u): decode(f"{path}: client {u}", section[u], size) for u in section}


def server_of(path: str | Path, table: Mapping[str, object]) -> bytes:
    """The server's key in a table that `read` gave; empty where none is named."""
    return decode(f"{path}: {SERVER}", table[SERVER], 32) if SERVER in table else b""


def with_server(
    table: Mapping[str, bytes | Mapping[int, bytes]], server_key: bytes
) -> dict[str, bytes | Mapping[int, bytes]]:
    """The table as `write` takes it, the server's key in it if there is one."""
    return {**table, SERVER: server_key} if server_key else dict(table)


def decode(where: str, text: object, size: int) -> bytes:
    """`size` bytes from hex or padded base64, told apart by length; `where` opens the error."""
    if isinstance(text, str):
        with contextlib.suppress(ValueError):
            is_hex = len(text) == 2 * size
            raw = bytes.fromhex(text) if is_hex else base64.b64decode(text, validate=True)
            if len(raw) == size:
                return raw
    raise LocalProtocolError(f"{where}: {text!r}, expected {size} bytes in hex or base64")


def write(path: str | Path, table: Mapping[str, bytes | Mapping[int, bytes]]) -> None:
    """Write what `read` reads, in hex, ids in rising order; replaces the file in one step."""
    form = _FORMS[_suffix(path)]
    new = Path(f"{path}.new")
    new.write_text(form.dump({name: _text(value) for name, value in table.items()}), "utf-8")
    os.replace(new, path)


def _text(value: bytes | Mapping[int, bytes]) -> str | dict[str, str]:
    if isinstance(value, bytes):
        return value.hex()
    return {str(u): value[u].hex() for u in sorted(value)}


def _suffix(path: str | Path) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMS:
        raise LocalProtocolError(
            f"{path}, expected a directory file that ends in {' or '.join(_FORMS)}"
        )
    return suffix


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{max(names, key=names.count)!r} stands there twice, expected once")
    return table


def _dump_toml(table: Mapping[str, str | dict[str, str]]) -> str:
    """Values are hex and names are ours or digits, so that nothing needs quoting; values first."""
    lines = [f'{name} = "{value}"' for name, value in table.items() if isinstance(value, str)]
    for name, section in table.items():
        if isinstance(section, dict):
            lines += ["", f"[{name}]", *(f'{u} = "{value}"' for u, value in section.items())]
    return "\n".join(lines).lstrip() + "\n"


class _Form(NamedTuple):
    load: Callable[[str], object]
    dump: Callable[[Mapping[str, str | dict[str, str]]], str]


_FORMS: Final = {
    ".toml": _Form(tomllib.loads, _dump_toml),
    ".json": _Form(
        lambda text: json.loads(text, object_pairs_hook=_once),
        lambda table: json.dumps(table, indent=1) + "\n",
    ),
}
