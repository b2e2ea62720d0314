"""What the parties of a federation have agreed on: each has it in a file of its own.

    [terms]                        the same for everybody, and never taken from the server
    n = 5                          clients of a session
    threshold = 4                  or: corrupt = 0.1 and dropout = 0.2
    clip = 4.0                     or "none": an exact sum
    bits = 32
    max_weight = 16384
    sum = "secure"                 or "plain": in the clear, for comparison; clip and bits are idle

    [node]                         a client's alone                  [server]
    client = 3                                                       private_key = "server.pem"
    identity = "identity.pem"
    sessions = 1000                how often it takes part, at most

    directory = "directory.toml"   above these; it names the clients' keys, and the server's

A server states its terms in the first message of a session. A client compares them with its own and
refuses a difference; what it does follows from its own alone.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import secagg
from fl.aggregators.plain import PlainSum
from fl.aggregators.secure import SecureSum
from fl.errors import FLError
from fl.flower.records import Term
from fl.population.devices import check_conditions

FILE = "federation.toml"
SECURE, PLAIN = "secure", "plain"
T = TypeVar("T")


class NotAgreed(FLError):
    """A server asks for what this client's federation has not agreed on."""


class NotReady(FLError):
    """This device does not meet a condition just now, or nobody can say whether it does."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The sum, as all parties have agreed on it; the names are those of `SecureSum`.

    sum: "secure", or "plain" for `PlainSum`, of which the threshold alone is a term.
    """

    n: int
    threshold: int | float | None = None
    corrupt: int | float | None = None
    dropout: float | None = None
    clip: float | None = 4.0
    bits: int = 32
    max_weight: int = 16384
    sum: str = SECURE

    def __post_init__(self) -> None:
        if type(self.n) is not int:
            raise FLError(f"n = {self.n!r}, expected a number of clients")
        if self.sum not in (SECURE, PLAIN):
            raise FLError(f"sum = {self.sum!r}, expected {SECURE!r} or {PLAIN!r}")
        if self.sum == PLAIN and (self.corrupt is not None or self.dropout is not None):
            raise FLError("corrupt or dropout with a plain sum, expected a threshold alone")
        self.aggregator().check(self.n)

    def aggregator(self) -> SecureSum | PlainSum:
        """The sum by these terms."""
        if self.sum == PLAIN:
            return PlainSum(threshold=self.threshold)
        chosen = {k: value for k, value in asdict(self).items() if k not in ("n", "sum")}
        return SecureSum(**chosen)


@dataclass(frozen=True, kw_only=True)
class Consent:
    """A client's own part.

    client: its id in the directory.
    certificate: a file of hex, with an authority.
    sessions: how often it takes part, at most, ever.
    same_message: how often it answers one and the same message: each time gives the server another
        sum of the same numbers.
    kinds, models: of work, and the digests of models (`model_digest`); empty models are any.
    conditions: "charging", "unmetered", "idle", without which this device takes part in nothing.
    """

    client: int
    sessions: int
    identity: str = "identity.pem"
    certificate: str | None = None
    same_message: int = 1
    kinds: tuple[str, ...] = ("training",)
    models: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("client", "sessions", "same_message"):
            if type(value := getattr(self, name)) is not int or value < 0:
                raise FLError(f"{name} = {value!r}, expected a whole number")
        for name in ("kinds", "models", "conditions"):
            listed = getattr(self, name)
            if isinstance(listed, str) or not all(isinstance(each, str) for each in listed):
                raise FLError(f"{name} = {listed!r}, expected a list of names")
            object.__setattr__(self, name, tuple(listed))
        check_conditions(self.conditions)


@dataclass(frozen=True)
class _Seat:
    private_key: str = "server.pem"


@dataclass(frozen=True)
class Federation:
    """One party's copy, and the folder that it was read from."""

    folder: Path
    terms: Terms
    directory: secagg.Pinned | secagg.Authority
    consent: Consent | None = None
    seat: _Seat = _Seat()

    @property
    def server_key(self) -> bytes:
        """The server's public key, from the directory file."""
        return self.directory.server_key

    @property
    def stated(self) -> dict[str, Term]:
        """The terms as a server states them."""
        keys = {"server_key": self.server_key.hex(), "directory": self.directory.digest.hex()}
        return {**asdict(self.terms), **keys}

    def check(self, stated: Mapping[str, Term]) -> None:
        """Raise NotAgreed, naming the first difference, for other terms than these."""
        for name, own in self.stated.items():
            if name not in stated or stated[name] != own:
                seen = stated.get(name, "nothing")
                raise NotAgreed(f"the server asks for {name} = {seen!r}, expected {own!r}")
        if unknown := stated.keys() - self.stated.keys():
            raise NotAgreed(f"the server asks for {min(unknown)!r}, expected none of that")


def read(folder: str | Path) -> Federation:
    """A party's federation, from its folder. Raises FLError, SecAggError and OSError."""
    folder = Path(folder)
    path = folder / FILE
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise FLError(f"{path}: {error}") from None
    if unknown := table.keys() - {"directory", "terms", "node", "server"}:
        raise FLError(f"{path}: {min(unknown)!r}, expected directory, [terms], [node] or [server]")
    directory = _directory(folder / str(table.get("directory", "directory.toml")))
    if not directory.server_key:
        raise FLError(f"{path}: a directory without the server's key, expected one that names it")
    return Federation(
        folder,
        _section(path, table, "terms", Terms),
        directory,
        _section(path, table, "node", Consent) if "node" in table else None,
        _section(path, table, "server", _Seat) if "server" in table else _Seat(),
    )


_Directory = secagg.Pinned | secagg.Authority
_known: dict[bytes, _Directory] = {}


def _directory(path: Path) -> _Directory:
    """A directory file, read once a process for all that are alike: under a simulation a process is
    many nodes, and checking a thousand keys takes a tenth of a second."""
    key = hashlib.sha256(path.suffix.encode() + path.read_bytes()).digest()
    if key not in _known:
        _known.clear()
        _known[key] = secagg.load_directory(path)
    return _known[key]


def _section(path: Path, table: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """A section of the file. Raises FLError that names the file and what is wrong in it."""
    section = table.get(name, {})
    if name == "terms" and isinstance(section, dict) and section.get("clip") == "none":
        section = {**section, "clip": None}  # TOML has no word for it
    known = {f.name: f.default is MISSING for f in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(section, dict):
        raise FLError(f"{path}: {name} is {section!r}, expected a section")
    if unknown := section.keys() - known.keys():
        raise FLError(f"{path}: [{name}] {min(unknown)}, expected some of {', '.join(known)}")
    if missing := [each for each, needed in known.items() if needed and each not in section]:
        raise FLError(f"{path}: [{name}] without {missing[0]}, expected {missing[0]} = ...")
    try:
        return kind(**section)
    except (FLError, secagg.SecAggError, TypeError) as error:
        raise FLError(f"{path}: [{name}] {error}") from None
