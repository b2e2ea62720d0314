"""Checks that many clients of one process make of the same signatures: made once, then remembered.

A roster of n clients has n signatures, and n clients check it.  Both checks of `SignatureChecks`
are functions of public values alone, so it makes no difference to a client who asked before.
"""

from collections.abc import Callable
from functools import cache, lru_cache

from secagg.keys import Transcript
from secagg.messages import AdvertiseKeys
from secagg.roster import CheckedRoster, SignatureChecks


class RememberedChecks(SignatureChecks):
    """Gives the last answer again while the question is the same.

    Pickled, it is another process's: the clients of all jobs of a worker share that one.
    """

    def __init__(self) -> None:
        checks = SignatureChecks()
        self._roster = lru_cache(maxsize=1)(checks.roster)
        self._quorum = lru_cache(maxsize=1)(checks.quorum)

    def __reduce__(self) -> tuple[Callable[[], "RememberedChecks"], tuple[()]]:
        return _of_this_process, ()

    def roster(
        self, entries: tuple[AdvertiseKeys, ...], keys: tuple[bytes, ...], transcript: Transcript
    ) -> CheckedRoster:
        """As `SignatureChecks.roster`; a refusal is not remembered."""
        return self._roster(entries, keys, transcript)

    def quorum(
        self,
        roster: CheckedRoster,
        transcript: Transcript,
        U3: tuple[int, ...],
        signers: tuple[int, ...],
        signatures: tuple[bytes, ...],
    ) -> None:
        """As `SignatureChecks.quorum`; a refusal is not remembered."""
        self._quorum(roster, transcript, U3, signers, signatures)


@cache
def _of_this_process() -> RememberedChecks:
    return RememberedChecks()
