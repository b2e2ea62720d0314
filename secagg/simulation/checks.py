"""What many clients of one process check of the same others: checked once, then remembered.

The checks of `RosterChecks` are functions of public values alone, so it makes no difference to a
client who asked before.
"""

from collections.abc import Callable
from functools import cache

from secagg.identity.directory import Directory
from secagg.keys import Transcript
from secagg.messages import Roster
from secagg.params import Params
from secagg.roster import CheckedRoster, RosterChecks


class RememberedChecks(RosterChecks):
    """Remembers what it has found of the last roster; a refusal is not remembered.

    Pickled, it is another process's: the clients of all jobs of a worker share that one.
    """

    def __init__(self) -> None:
        self._message: Roster | None = None
        self._columns: tuple[bytes, ...] = ()
        self._asked: tuple[object, ...] = ()
        self._roster: CheckedRoster | None = None
        self._found: set[tuple[object, ...]] = set()

    def __reduce__(self) -> "tuple[Callable[[], RememberedChecks], tuple[()]]":
        return of_this_process, ()

    def check_all(self, message: Roster, params: Params, directory: Directory) -> CheckedRoster:
        """As `RosterChecks.check_all`, once for all messages that say the same."""
        asked = params.min_roster, params.n, directory.digest
        if self._roster is None or self._asked != asked or not self._same(message):
            self._found = set()
            self._roster = super().check_all(message, params, directory)
            self._message, self._columns, self._asked = message, _columns(message), asked
        return self._roster

    def again(self, message: Roster, directory: Directory) -> CheckedRoster:
        """The roster of a message that this process, or the one before, has checked."""
        if self._roster is not None and self._same(message):
            return self._roster
        return CheckedRoster(message, directory)

    def check_neighbour(self, roster: CheckedRoster, i: int, transcript: Transcript) -> None:
        """As `RosterChecks.check_neighbour`, once for each neighbour."""
        key = roster, i, transcript
        if key not in self._found:
            super().check_neighbour(roster, i, transcript)
            self._found.add(key)

    def check_signer(
        self, roster: CheckedRoster, i: int, transcript: Transcript, body: bytes, signature: bytes
    ) -> None:
        """As `RosterChecks.check_signer`, once for each signature."""
        key = roster, i, transcript, body, signature
        if key not in self._found:
            super().check_signer(roster, i, transcript, body, signature)
            self._found.add(key)

    def _same(self, message: Roster) -> bool:
        return message is self._message or _columns(message) == self._columns


@cache
def of_this_process() -> RememberedChecks:
    """The one that clients share that came to this process as pickles."""
    return RememberedChecks()


def _columns(message: Roster) -> tuple[bytes, ...]:
    return tuple(map(bytes, (message.ids, message.keys, message.certificates, message.signatures)))
