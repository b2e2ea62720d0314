"""Who is who: identity keys, and the directory that says which key speaks for which client.

    >>> key = secagg.identity.create(tmp_path / "client-7.pem")
    >>> same = secagg.identity.load(tmp_path / "client-7.pem")
    >>> same.public_key() == key.public_key()
    True

Modules: `key_files` keeps private keys, `directory` pins public ones, `authority` certifies them,
`directory_files` is the text form of both.  Files are read and written here and nowhere else in
the protocol.  May be imported from it: what is in `__all__`, and from `directory` and `authority`
what client and server check with.  It uses `curve`, `errors` and `keys`.
"""

from secagg.identity.authority import Authority, issue
from secagg.identity.directory import Directory, Pinned
from secagg.identity.key_files import (
    create,
    create_server,
    is_encrypted,
    load,
    load_server,
    save,
)

__all__ = [
    "Authority",
    "Directory",
    "Pinned",
    "create",
    "create_server",
    "is_encrypted",
    "issue",
    "load",
    "load_server",
    "save",
]
