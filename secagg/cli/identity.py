"""The commands for identities: `secagg keygen`, `secagg enroll` and `secagg directory`.

    secagg keygen client17.pem                            prints the public key
    secagg enroll clients.toml 17 <public key>            pins it
    secagg enroll clients.toml 17 <public key> --ca ca.pem    and prints an authority's certificate
    secagg keygen server.pem --server                     the server's key: prints the public one
    secagg directory server clients.toml <public key>     names the server
    secagg directory check clients.toml                   prints what everybody must agree on

`register` adds them to an application. A passphrase is asked for, or taken from SECAGG_PASSPHRASE;
never from the command line, which other users of the machine can see. Nothing here sends anything.
"""

import os
from pathlib import Path
from typing import Annotated, Final

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from secagg import identity
from secagg.cli import command, group
from secagg.errors import LocalProtocolError
from secagg.identity import authority, directory_files
from secagg.identity.authority import Authority
from secagg.identity.directory import Pinned, check_id

PASSPHRASE_VARIABLE: Final = "SECAGG_PASSPHRASE"


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command()(keygen)
    # So that -5 is refused as an id, not as an unknown option.
    app.command(context_settings={"ignore_unknown_options": True})(enroll)
    directory = group.subgroup("Look at directories of identity keys.")
    directory.command()(check)
    directory.command()(server)
    app.add_typer(directory, name="directory")


def keygen(
    path: Annotated[Path, typer.Argument(help="The new private key file; it must not exist.")],
    passphrase: Annotated[
        bool,
        typer.Option(
            "--passphrase",
            help=f"Encrypt the file: asks, unless {PASSPHRASE_VARIABLE} is set (which implies it).",
        ),
    ] = False,
    server: Annotated[
        bool, typer.Option("--server", help="A server's X25519 key instead of an identity.")
    ] = False,
) -> None:
    """Make an Ed25519 identity: the private key in a file of mode 0600, the public key printed.

    With --server it is the X25519 key to which clients seal the shares that open a sum.
    """
    wanted = passphrase or PASSPHRASE_VARIABLE in os.environ
    create = identity.create_server if server else identity.create
    key = create(path, _passphrase(confirm=True) if wanted else None)
    typer.echo(key.public_key().public_bytes_raw().hex())


def enroll(
    directory: Annotated[Path, typer.Argument(help="The directory file, .toml or .json.")],
    client: Annotated[int, typer.Argument(help="The client id, in [0, 2^63).")],
    key: Annotated[str, typer.Argument(help="The client's public key, in hex or base64.")],
    ca: Annotated[
        Path | None, typer.Option(help="An authority's private key file: print a certificate.")
    ] = None,
) -> None:
    """Add a client's public key to a directory file, which is made if it does not exist.

    With --ca, that file is the authority's own record of whom it has certified, and the client's
    certificate is printed, in hex; the other parties need the authority's public key only.
    """
    check_id(client)
    raw = directory_files.decode(f"client {client}", key, 32)
    ca_key = None if ca is None else _ca_key(ca)
    pinned = _pin(directory, client, raw)
    pinned.save(directory)
    typer.echo(f"client {client} is in {directory}; {_summary(pinned)}", err=ca_key is not None)
    if ca_key is not None:
        typer.echo(authority.issue(ca_key, client, raw).hex())


def check(
    path: Annotated[Path, typer.Argument(help="The directory file, .toml or .json.")],
) -> None:
    """Check every entry of a directory file and print its digest, for comparison between hosts."""
    typer.echo(f"{path}: {_summary(_load(path))}")


def server(
    path: Annotated[Path, typer.Argument(help="The directory file, .toml or .json.")],
    key: Annotated[str, typer.Argument(help="The server's public key, in hex or base64.")],
) -> None:
    """Name the server in a directory file: hosts put its key into their session's parameters."""
    raw, old = directory_files.decode("server", key, 32), _load(path)
    if isinstance(old, Pinned):
        new: Pinned | Authority = Pinned(old, raw)
    else:
        new = Authority(old.ca_public_key, raw)
    new.save(path)
    typer.echo(f"{path}: {_summary(new)}")


def _load(path: Path) -> Pinned | Authority:
    try:
        return authority.load(path)
    except FileNotFoundError:
        raise LocalProtocolError(
            f"{path} is not there, expected a directory file: `secagg enroll` makes one"
        ) from None


def _pin(path: Path, client: int, key: bytes) -> Pinned:
    pinned = Pinned.load(path) if path.exists() else Pinned({})
    if pinned.get(client, key) != key:
        raise LocalProtocolError(
            f"{path}: client {client} has another key already, expected the same"
        )
    return Pinned({**pinned, client: key}, pinned.server_key)


def _ca_key(path: Path) -> Ed25519PrivateKey:
    return identity.load(path, _passphrase() if identity.is_encrypted(path) else None)


def _summary(directory: Pinned | Authority) -> str:
    if isinstance(directory, Authority):
        kind = f"the authority {directory.ca_public_key.hex()}"
    else:
        kind = f"{len(directory)} pinned keys"
    named = f", server {directory.server_key.hex()}" if directory.server_key else ""
    return f"{kind}, digest {directory.digest.hex()}{named}"


def _passphrase(*, confirm: bool = False) -> bytes:
    if (passphrase := os.environ.get(PASSPHRASE_VARIABLE)) is None:
        with command.interrupt_raises():
            # On stderr, so that standard output stays the public key alone.
            passphrase = typer.prompt(
                "Passphrase", hide_input=True, confirmation_prompt=confirm, err=True
            )
    return os.fsencode(passphrase)
