"""Round 4 on the server: the shares of U5, the masks that they open, and the sum.

    z = Σ_{u∈U3} y_u − Σ_{u∈U3} PRG(b_u) − Σ_{u∈U3, v∈(U2∖U3)∩N(u)} ±PRG(s_uv)

It is one type as those in `rounds`: `recovery` reconstructs the secrets, and `unmasking` removes
the masks.  Steps are those of Figure 4 of Bonawitz et al. 2017.
"""

from dataclasses import dataclass, field

from secagg.errors import RemoteProtocolError
from secagg.masks.prg import RingVector
from secagg.messages import SEALED_BYTES, Unmasking
from secagg.packing import reduce_words
from secagg.server.aggregate import Aggregate
from secagg.server.recovery import ShareTable, recover_mask_keys, recover_self_seeds
from secagg.server.session import Collected, Outbox, Rostered
from secagg.server.unmasking import Work, orphaned, remove_masks
from secagg.server_sealing import open_at_server
from secagg.sharing.shamir import SHARE_BYTES, decode_shares


@dataclass
class Opening:
    """Round 4 collects shares from U5, and ends in the sum."""

    rostered: Rostered
    collected: Collected
    U4: frozenset[int]
    table: ShareTable = field(repr=False)
    answered: set[int] = field(default_factory=set)

    @classmethod
    def begin(cls, rostered: Rostered, collected: Collected, U4: frozenset[int]) -> "Opening":
        """No share has arrived."""
        table = ShareTable.empty(rostered.roster.ids, rostered.neighbourhoods)
        return cls(rostered, collected, U4, table)

    def receive(self, message: Unmasking) -> None:
        """Enter one share for each owner that the author holds shares of."""
        # Fig. 4, round 4, server: U5 ⊆ U4.
        if message.u not in self.U4:
            raise RemoteProtocolError(f"client {message.u} is not in U4, expected one of it")
        i = self.rostered.roster.index[message.u]
        held = self.collected.held[i]
        expected = int(held.sum()) * SHARE_BYTES + SEALED_BYTES
        # Not in Fig. 4: signed, as every message here, and sealed to the server's key.
        with self.rostered.signed(message, message.body()):
            # Fig. 4, round 4: a share for each v in U2, of s_sk or of b.
            if len(message.sealed) != expected:
                raise RemoteProtocolError(
                    f"client {message.u} sent {len(message.sealed)} bytes of sealed shares, "
                    f"expected {expected}"
                )
            key, transcript = self.rostered.session.private_key, self.rostered.transcript
            shares = decode_shares(open_at_server(transcript, key, message.u, message.sealed))
        self.table.add(i, held, shares)
        self.answered.add(message.u)

    def close(self) -> tuple[Aggregate, Outbox]:
        """Reconstruct, check, unmask, and check the tally: the sum, or an error and no sum."""
        rostered, owners = self.rostered, self.collected.owners
        rostered.session.note_missing(self.U4, self.answered, 4)
        # Fig. 4, round 4, server: |U5| ≥ t; t shares of each secret here.
        received = self.table.received
        owners.check_holders(rostered, received, received)
        remove_masks(self.collected.accumulator, self._masks(), rostered.session.executor)
        return self._aggregate(), {}

    def _masks(self) -> Work:
        """Fig. 4, round 4, server: reconstruct s_sk for U2∖U3 and b for U3, each one checked."""
        rostered, owners = self.rostered, self.collected.owners
        roster, transcript, t = rostered.roster, rostered.transcript, rostered.params.t
        b = recover_self_seeds(self.table, owners.of_b, t, roster, transcript)
        s_sk = recover_mask_keys(self.table, owners.of_s_sk, t, roster)
        return Work(
            transcript,
            tuple(transcript.self_seed(b_u, roster.ids[i]) for i, b_u in b.items()),
            orphaned(roster, rostered.neighbourhoods, owners.in_U3, s_sk),
            rostered.params.suite,
        )

    def _aggregate(self) -> Aggregate:
        collected, ids = self.collected, self.rostered.roster.ids
        vectors: dict[str, RingVector] = {}
        for spec, total in zip(self.rostered.params.vectors, collected.accumulator, strict=True):
            reduce_words(spec, total)
            # Not in Fig. 4: each client has added 1 to the last word.
            tally, expected = int(total[-1]), len(collected.U3) % 2**spec.bits
            if tally != expected:
                raise RemoteProtocolError(
                    f"vector {spec.name!r} has the tally {tally}, expected {expected}: "
                    "the masks did not cancel, or a client did not count itself once"
                )
            vectors[spec.name] = total[:-1]
        disputes = sorted((ids[owner], ids[holder]) for owner, holder in self.table.disputed)
        missed = dict(sorted(self.rostered.session.missed.items()))
        return Aggregate(vectors, collected.U3, missed, tuple(disputes))
