"""The files of a new federation, a folder for each party, by whoever founds it.

    root/server/    federation.toml  directory.toml  server.pem
    root/node-3/    federation.toml  directory.toml  identity.pem

The founder makes all private keys here, and hands each folder to its host. Where hosts should make
their own, they use `secagg keygen`, send the public half, and the founder enrols that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import secagg
from fl.errors import FLError
from fl.flower.federation import FILE, Terms


def found(
    root: str | Path,
    terms: Terms,
    *,
    clients: int | None = None,
    sessions: int = 1000,
    kinds: Sequence[str] = ("training",),
    models: Sequence[str] = (),
) -> list[Path]:
    """Make the folders of a federation; those of the nodes, in the order of their clients.

    clients: how many there are, with the ids from 0; by default as many as a session has.
    Raises FLError for a folder that exists already, OSError where nothing can be written.
    """
    root = Path(root)
    server = root / "server"
    nodes = [root / f"node-{u}" for u in range(terms.n if clients is None else clients)]
    for folder in (server, *nodes):
        if folder.exists():
            raise FLError(f"{folder} exists, expected a new folder for a new federation")
    for folder in (server, *nodes):
        folder.mkdir(mode=0o700, parents=True)
    private = secagg.identity.create_server(server / "server.pem")
    keys = {u: secagg.identity.create(folder / "identity.pem") for u, folder in enumerate(nodes)}
    directory = secagg.Pinned(
        {u: key.public_key().public_bytes_raw() for u, key in keys.items()},
        private.public_key().public_bytes_raw(),
    )
    for folder in (server, *nodes):
        directory.save(folder / "directory.toml")
        (folder / FILE).write_text(_text(terms), "utf-8")
    with open(server / FILE, "a", encoding="utf-8") as file:
        file.write('\n[server]\nprivate_key = "server.pem"\n')
    for u, folder in enumerate(nodes):
        with open(folder / FILE, "a", encoding="utf-8") as file:
            file.write(_of_node(u, sessions, kinds, models))
    return nodes


def _text(terms: Terms) -> str:
    lines = ['directory = "directory.toml"', "", "[terms]"]
    for name, value in asdict(terms).items():
        if name == "clip" and value is None:
            lines.append('clip = "none"')
        elif isinstance(value, str):
            lines.append(f'{name} = "{value}"')
        elif value is not None:
            lines.append(f"{name} = {value}")
    return "\n".join(lines) + "\n"


def _of_node(u: int, sessions: int, kinds: Sequence[str], models: Sequence[str]) -> str:
    lines = ["", "[node]", f"client = {u}", 'identity = "identity.pem"', f"sessions = {sessions}"]
    for name, values in (("kinds", kinds), ("models", models)):
        quoted = ", ".join(f'"{value}"' for value in values)
        lines.append(f"{name} = [{quoted}]")
    return "\n".join(lines) + "\n"
