"""What a node keeps between two messages: one folder that only its owner can read.

    key                              of the snapshots, 32 random bytes
    lock                             held while a message is answered
    messages/<digest>.<session>      a round's message that was answered in this session
    sessions/<session>/begun         what the session is about; nothing private
                      /generation    outlives the session
                      /<generation>.blob    the protocol's encrypted snapshot

Every file is written whole or not at all, and is on the disk before a reply leaves. The generation
stands beside the blobs: that survives a crash, and does not protect against somebody who puts an
old copy of the folder back (docs/flower.md).
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import secagg
from fl.errors import FLError
from fl.experiment.checkpoint import write_atomically

_KEY_BYTES = 32


class NodeFolder:
    """The folder of one client. Raises FLError for one that others may read or write."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = self.path.stat().st_mode & 0o777
        if mode & 0o077:
            raise FLError(
                f"{self.path}: mode {mode:04o} opens this folder to others, expected 0700"
            )
        for part in ("sessions", "messages"):
            (self.path / part).mkdir(mode=0o700, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time: one of a node that was killed may still be at work."""
        with open(self.path / "lock", "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def begin(self, session: bytes, digest: bytes, begun: bytes) -> None:
        """Note, for good, that this client takes part in a session on a message; the snapshots of
        all other sessions go: a client is in one at a time."""
        self.forget(but=session)
        place = self._place(session)
        place.mkdir(mode=0o700, exist_ok=True)
        write_atomically(place / "begun", lambda file: file.write(begun))
        noted = self.path / "messages" / f"{digest.hex()}.{session.hex()}"
        write_atomically(noted, lambda file: file.write(b""))

    def begun(self, session: bytes) -> bytes | None:
        """What was noted of a session; None for one that this client never began."""
        path = self._place(session) / "begun"
        return path.read_bytes() if path.exists() else None

    @property
    def sessions(self) -> int:
        """How many sessions this client has begun, ever."""
        return sum(1 for _ in (self.path / "sessions").iterdir())

    def answered(self, digest: bytes) -> int:
        """In how many sessions the message with this digest was answered."""
        return sum(1 for _ in (self.path / "messages").glob(f"{digest.hex()}.*"))

    def generation(self, session: bytes) -> int:
        """The generation that this session has reached; 0 before the first reply."""
        path = self._place(session) / "generation"
        return int(path.read_text("ascii")) if path.exists() else 0

    def blob(self, session: bytes) -> bytes | None:
        """The snapshot of the present generation; None where there is none, or it was forgotten."""
        path = self._blob(session, self.generation(session))
        return path.read_bytes() if path.exists() else None

    def store(self, session: bytes) -> secagg.SnapshotStore:
        """Where the client of a session keeps its snapshots."""
        return secagg.SnapshotStore(
            self._key(), lambda blob, generation: self._keep(session, blob, generation)
        )

    def forget(self, *, but: bytes = b"") -> None:
        """Remove all snapshots, except of one session; generations stay."""
        for path in (self.path / "sessions").glob("*/*.blob"):
            if path.parent.name != but.hex():
                path.unlink()

    def _keep(self, session: bytes, blob: bytes, generation: int) -> None:
        """What `SnapshotStore` asks of a host, in its order."""
        kept = self.generation(session)
        if generation <= kept:
            raise FLError(f"a snapshot of generation {generation}, expected one above {kept}")
        write_atomically(self._blob(session, generation), lambda file: file.write(blob))
        counter = self._place(session) / "generation"
        write_atomically(counter, lambda file: file.write(b"%d" % generation))
        for old in self._place(session).glob("*.blob"):
            if old != self._blob(session, generation):
                old.unlink()

    def _key(self) -> bytes:
        path = self.path / "key"
        if not path.exists():
            write_atomically(path, lambda file: file.write(secrets.token_bytes(_KEY_BYTES)))
            os.chmod(path, 0o600)
        return path.read_bytes()

    def _place(self, session: bytes) -> Path:
        return self.path / "sessions" / session.hex()

    def _blob(self, session: bytes, generation: int) -> Path:
        return self._place(session) / f"{generation}.blob"
