"""Round 4 on the server: secrets from shares, each one checked.

    digit of the secret = Σ_j λ_j · digit of the share at x_j     over the first t holders

A reconstructed b_v must open v's commitment, a reconstructed s_sk_v must give v's advertised key:
nothing is unmasked with a secret that is merely plausible.  Where the first t shares do not combine
to it, all shares are decoded as a Reed–Solomon code; where that cannot do it either, choices of t
shares are tried against the commitment, as long as the session has work left for it.  The wrong
shares are reported as disputed (owner, holder) pairs: either of the two may have lied, as a dealer
can frame a holder.  Shares that were not needed are not judged.  `unmasking` removes the masks.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from numpy.typing import NDArray

from secagg.errors import RemoteProtocolError
from secagg.graph import Indices
from secagg.keys import Transcript
from secagg.roster import CheckedRoster
from secagg.server.neighbourhoods import Flags, Neighbourhoods
from secagg.server.share_search import Budget, search
from secagg.sharing.reed_solomon import correct
from secagg.sharing.shamir import DIGITS, combine_digits, from_digits

_BATCH = 64  # owners combined in one product: its operands stay in the megabytes

Check = Callable[[int, bytes], bool]


@dataclass
class ShareTable:
    """The shares that arrived, by owner: `shares[i, j]` was sent by the holder members[i, j]."""

    ids: tuple[int, ...]
    neighbourhoods: Neighbourhoods
    shares: NDArray[np.uint16] = field(repr=False)
    received: Flags = field(repr=False)
    disputed: set[tuple[int, int]] = field(default_factory=set)
    budget: Budget = field(default_factory=Budget)

    @classmethod
    def empty(cls, ids: tuple[int, ...], neighbourhoods: Neighbourhoods) -> "ShareTable":
        """A table in which nothing has arrived."""
        return cls(
            ids,
            neighbourhoods,
            np.zeros((*neighbourhoods.members.shape, DIGITS), "<u2"),
            neighbourhoods.flags(),
        )

    def add(self, holder: int, held: Flags, shares: NDArray[np.int64]) -> None:
        """Enter one holder's shares, of the owners members[holder, held] in this order."""
        owners, columns = (
            self.neighbourhoods.members[holder, held],
            self.neighbourhoods.slots[holder, held],
        )
        self.shares[owners, columns] = shares
        self.received[owners, columns] = True

    def recover(self, owners: Sequence[int], t: int, check: Check) -> dict[int, bytes]:
        """The secret of each owner, as `check` confirms it; t shares of each must be here.

        Raises:
            RemoteProtocolError: naming the first owner whose shares do not lead to such a secret.
        """
        secrets: dict[int, bytes] = {}
        for start in range(0, len(owners), _BATCH):
            wrong = self._combine(owners[start : start + _BATCH], t, check, secrets)
            for i, owner in enumerate(wrong):
                # Without the holders in the disputes of those before it, it may combine. Alone: in
                # one batch again, many bad dealers would cost the square of their number.
                if i == 0 or self._combine([owner], t, check, secrets):
                    secrets[owner] = self._correct(owner, t, check)
        return secrets

    def _combine(
        self, owners: Sequence[int], t: int, check: Check, secrets: dict[int, bytes]
    ) -> list[int]:
        """Enter the secrets that t shares each lead to; the owners for whom they do not."""
        wrong: list[int] = []
        for group, columns in self._groups(owners, t):
            xs = self.neighbourhoods.members[group[0], columns] + 1
            shares = self.shares[np.array(group)[:, None], columns]
            digits = combine_digits(xs, shares.transpose(1, 0, 2).astype(np.int64))
            for owner, row in zip(group, digits.tolist(), strict=True):
                secret = _checked(owner, row, check)
                if secret is None:
                    wrong.append(owner)
                else:
                    secrets[owner] = secret
        return wrong

    def _groups(self, owners: Sequence[int], t: int) -> Iterator[tuple[list[int], Indices]]:
        """Owners that can be combined with one set of t holders, and the columns of these."""
        groups: dict[bytes, tuple[list[int], Indices]] = {}
        blame = np.bincount([h for _, h in self.disputed], minlength=len(self.ids))
        for owner in owners:
            row = self.neighbourhoods.members[owner]
            columns = np.flatnonzero(self.received[owner])
            if self.disputed:  # holders in many disputes come last
                columns = columns[np.argsort(blame[row[columns]], kind="stable")]
            columns = columns[:t]
            group, _ = groups.setdefault(row[columns].tobytes() + columns.tobytes(), ([], columns))
            group.append(owner)
        yield from groups.values()

    def _correct(self, owner: int, t: int, check: Check) -> bytes:
        """Decode all of an owner's shares, and note which holders' do not fit."""
        columns = np.flatnonzero(self.received[owner])
        holders = self.neighbourhoods.members[owner, columns]
        xs, shares = holders + 1, self.shares[owner, columns].astype(np.int64)
        try:
            digits, wrong = correct(xs, shares, t)
            secret = _checked(owner, digits.tolist(), check)
            problem = "they agree, but not with what it advertised"
        except RemoteProtocolError as error:
            secret, problem = None, str(error)
        if secret is None:
            found = search(xs, shares, t, lambda d: _checked(owner, d, check), self.budget)
            if found is None:
                u = self.ids[owner]
                raise RemoteProtocolError(
                    f"the shares that client {u} dealt: {problem}", about=(u,)
                )
            secret, wrong = found
        self.disputed.update((owner, int(holder)) for holder in holders[wrong])
        return secret


def _checked(owner: int, digits: Sequence[int], check: Check) -> bytes | None:
    try:
        secret = from_digits(digits)
    except RemoteProtocolError:
        return None
    return secret if check(owner, secret) else None


def recover_self_seeds(
    table: ShareTable, owners: Sequence[int], t: int, roster: CheckedRoster, transcript: Transcript
) -> dict[int, bytes]:
    """b_u of each owner, by roster index, as its commitment confirms."""

    # Not in Fig. 4: what the shares lead to is what was committed to in round 0.
    def opens(owner: int, b_u: bytes) -> bool:
        return transcript.commitment(roster.ids[owner], b_u) == roster.commitment(owner)

    return table.recover(owners, t, opens)


def recover_mask_keys(
    table: ShareTable, owners: Sequence[int], t: int, roster: CheckedRoster
) -> dict[int, bytes]:
    """s_sk of each owner, by roster index, as its advertised public key confirms."""

    # Not in Fig. 4: what the shares lead to is the key that was advertised in round 0.
    def fits(owner: int, s_sk: bytes) -> bool:
        public = X25519PrivateKey.from_private_bytes(s_sk).public_key()
        return public.public_bytes_raw() == roster.s_pk(owner)

    return table.recover(owners, t, fits)
