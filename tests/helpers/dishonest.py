"""An active server and its corrupt clients: they say what they like, keep all, and compute all.

    y_u = x_u + PRG(b_u) + Σ_{v ∈ U2(u)} ±PRG(s_uv)        for each honest u that answered round 2

The coalition holds t shares of some b_u and s_sk_u, and the keys of the corrupt clients.  Whatever
mask it can derive it subtracts; the masks that are left are unknowns.  A linear combination of the
y_u in which every unknown cancels is a sum that it has learned, and there are no others: `learned`
finds a basis of them, and computes them.  What it keeps, it keeps in the types of `held`.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np

import secagg
from secagg import masks, wire
from secagg.keys import Transcript
from secagg.masks.prg import RingVector
from secagg.messages import (
    CIPHERTEXT_BYTES,
    NONCE_BYTES,
    AdvertiseKeys,
    Ciphertexts,
    ConsistencyCheck,
    Roster,
    Signatures,
    Survivors,
    records,
)
from secagg.packing import unpack
from secagg.roster import CheckedRoster
from secagg.sharing.shamir import SHARE_BYTES, combine, decode_shares
from tests.helpers.held import (
    SPEC,
    Face,
    Learned,
    Seen,
    Shares,
    Sharings,
    exchange,
    null_space,
    public_key,
)
from tests.helpers.party import shares_in
from tests.helpers.steady import Steady, Stream


class Coalition(Steady):
    """A session whose server, and whose clients in `corrupt`, are the adversary's.

    The last `corrupt` of the `enrolled` clients are corrupt, whatever `Params.corrupt` says: with
    more than that, attacks must succeed.
    """

    def __init__(self, n: int, *, bad: int, enrolled: int | None = None, **params: Any) -> None:
        enrolled = enrolled or n
        super().__init__(enrolled, most=n, **params)
        self.corrupt = tuple(self.ids[enrolled - bad :])
        self.honest = tuple(self.ids[: enrolled - bad])
        self.hello = {u: self.clients[u].start() for u in self.honest}
        self.seen: dict[int, Seen] = {}
        self.shares = Shares()
        self.rosters: dict[bytes, CheckedRoster] = {}
        self.faces: dict[bytes, Face] = {}
        self.secrets: dict[bytes, bytes] = {}
        self.digest = self.params.digest(self.directory.digest)

    # What it says.

    def face(self, u: int, number: int = 0) -> AdvertiseKeys:
        """The advertisement `number` of corrupt u."""
        face = Face(*(Stream("face", u, number, i)(32) for i in range(3)))
        c_pk, s_pk = (public_key(secret) for secret in face[:2])
        hello = self.advertisement(u, c_pk, s_pk, Transcript(self.digest).commitment(u, face.b_u))
        self.faces[c_pk] = face
        self.secrets |= {s_pk: face.s_sk, hello.commitment: face.b_u}
        return hello

    def roster(self, honest: Collection[int] | None = None, faces: int = 0) -> Roster:
        """A roster of these honest clients (by default all) and every corrupt one."""
        entries = [self.hello[u] for u in (self.honest if honest is None else honest)]
        entries += [self.face(u, faces) for u in self.corrupt]
        return Roster.of(tuple(sorted(entries, key=lambda entry: entry.u)))

    def parsed(self, roster: Roster) -> CheckedRoster:
        """A roster as its members read it: one object, however many are shown it."""
        frame = wire.encode(roster)
        if frame not in self.rosters:
            self.rosters[frame] = CheckedRoster.trusted(frame, self.directory)
        return self.rosters[frame]

    def show_roster(self, u: int, roster: Roster) -> bool:
        """Round 1; whether u answered."""
        checked = self.parsed(roster)
        reply = self._ask(u, roster)
        if reply is None:
            return False
        sealed = iter(records(reply.ciphertexts, CIPHERTEXT_BYTES))
        row = self.row(checked, u)
        dealt = {i: next(sealed) for i in row if checked.ids[i] != u}
        # No secret: the coalition told it so.
        believes = self.clients[u]._member.transcript.params_digest
        self.seen[u] = Seen(believes, checked, {checked.ids[i]: c for i, c in dealt.items()})
        for i, ciphertext in dealt.items():
            if checked.c_pk(i) in self.faces:
                self._open(u, i, ciphertext)
        return True

    def show_senders(self, u: int, senders: Iterable[int], spoiled: Collection[int] = ()) -> bool:
        """Round 2; what honest senders dealt u in its roster, and garbage from everybody else."""
        seen = self.seen[u]
        garbage = bytes(CIPHERTEXT_BYTES)
        senders = tuple(sorted(senders))
        of = {v: self.seen[v].dealt.get(u, garbage) for v in senders if v in self.seen}
        sealed = [garbage if v in spoiled else of.get(v, garbage) for v in senders]
        reply = self._ask(u, Ciphertexts(senders, memoryview(b"".join(sealed))))
        if reply is None:
            return False
        seen.U2, seen.unopened = senders, reply.unopened
        seen.y = unpack(SPEC, SPEC.length + 1, reply.vectors[0]).copy()
        return True

    def show_U3(self, u: int, U3: Iterable[int]) -> bool:
        """Round 3."""
        U3 = tuple(sorted(U3))
        reply = self._ask(u, Survivors(U3))
        if reply is None:
            return False
        self.seen[u].U3, self.seen[u].signature = U3, reply.signature
        return True

    def signatures(self, u: int) -> Signatures:
        """Every signature there is, of the U3 that u signed, by members of it."""
        seen = self.seen[u]
        gathered = {
            v: other.signature
            for v, other in self.seen.items()
            if other.U3 == seen.U3 and other.roster.digest == seen.roster.digest
        }
        for v in set(seen.U3) & set(self.corrupt):
            gathered[v] = self.sign_U3(v, seen.roster.digest, seen.U3)
        signers = tuple(sorted(gathered.keys() & set(seen.U3)))
        return Signatures.of(signers, tuple(gathered[v] for v in signers))

    def sign_U3(self, v: int, roster_digest: bytes, U3: Iterable[int]) -> bytes:
        """What corrupt v signs as often as it is asked."""
        body = ConsistencyCheck.body(U3)
        return Transcript(self.digest, roster_digest).sign(self.keys[v], 3, v, body)

    def show_signatures(self, u: int, message: Signatures | None = None) -> bool:
        """Round 4."""
        reply = self._ask(u, self.signatures(u) if message is None else message)
        if reply is None:
            return False
        seen = self.seen[u]
        seen.answered = True
        owners = sorted((set(seen.U2) - set(seen.unopened)) | {u})
        x = seen.roster.index[u] + 1
        for v, share in zip(
            owners, records(shares_in(reply, seen.binding), SHARE_BYTES), strict=True
        ):
            entry = seen.entry(v)
            if v in seen.U3 or v == u:
                self.shares.add(self.shares.b, entry.commitment, x, share)
            else:
                self.shares.add(self.shares.s_sk, entry.s_pk, x, share)
        return True

    def play(self, *, U3: Callable[[int], Iterable[int]] | None = None) -> None:
        """An honest server's session, but that each client may be shown another U3."""
        roster = self.roster()
        everybody = tuple(entry.u for entry in roster.entries)
        for u in self.honest:
            self.show_roster(u, roster)
        for u in self.honest:
            self.show_senders(u, [everybody[i] for i in self.row(self.seen[u].roster, u)
                                  if everybody[i] != u])  # fmt: skip
        for u in self.honest:
            self.show_U3(u, everybody if U3 is None else U3(u))
        for u in self.honest:
            if self.seen[u].U3:
                self.show_signatures(u)

    def _ask(self, u: int, message: Any) -> Any:
        """The reply of an honest client, or None if it is not, or no longer, willing."""
        try:
            return self.clients[u].receive(message)
        except secagg.SecAggError:
            return None

    def row(self, roster: CheckedRoster, u: int) -> list[int]:
        """The roster indices of N(u) ∪ {u}."""
        graph = self.params.graph
        row: list[int] = graph.row(roster.digest, len(roster.ids), roster.index[u]).tolist()
        return row

    # What it knows.

    def _open(self, sender: int, i: int, ciphertext: bytes) -> None:
        """The corrupt client at index i opens what the honest sender dealt it."""
        seen = self.seen[sender]
        receiver, entry = seen.roster.entry(i), seen.entry(sender)
        binding = seen.binding
        shared = exchange(self.faces[receiver.c_pk].c_sk, entry.c_pk)
        plaintext = binding.aead(shared, sender, receiver.u).decrypt(
            ciphertext[:NONCE_BYTES],
            ciphertext[NONCE_BYTES:],
            binding.associated_data(sender, receiver.u),
        )
        s_share, b_share = records(plaintext[16:], SHARE_BYTES)
        self.shares.add(self.shares.s_sk, entry.s_pk, i + 1, s_share)
        self.shares.add(self.shares.b, entry.commitment, i + 1, b_share)

    def secret(self, sharings: Sharings, public: bytes) -> bytes | None:
        """The secret behind a public key or a commitment, if the coalition knows it."""
        shares = sharings.get(public, {})
        if public not in self.secrets and len(shares) >= self.params.t:
            xs = np.array(sorted(shares)[: self.params.t])
            residues = np.stack([decode_shares(shares[x]) for x in xs.tolist()])
            [self.secrets[public]] = combine(xs, residues)
        return self.secrets.get(public)

    def opened_b(self, u: int) -> bytes | None:
        """b_u of an honest client, checked against its commitment."""
        b_u = self.secret(self.shares.b, self.hello[u].commitment)
        if (
            b_u is not None
            and Transcript(self.digest).commitment(u, b_u) != self.hello[u].commitment
        ):
            raise RuntimeError(f"the shares of b_{u} that were released do not fit")
        return b_u

    def opened_s_sk(self, u: int) -> bytes | None:
        """s_sk of an honest client, checked against its public key."""
        s_sk = self.secret(self.shares.s_sk, self.hello[u].s_pk)
        if s_sk is not None and public_key(s_sk) != self.hello[u].s_pk:
            raise RuntimeError(f"the shares of s_sk_{u} that were released do not fit")
        return s_sk

    def both_opened(self) -> tuple[int, ...]:
        """The honest clients of which the coalition has both secrets."""
        return tuple(
            u
            for u in self.honest
            if self.opened_b(u) is not None and self.opened_s_sk(u) is not None
        )

    def views(self) -> dict[bytes, set[tuple[int, ...]]]:
        """For each roster, every U3 for which honest clients released shares."""
        views: dict[bytes, set[tuple[int, ...]]] = {}
        for seen in self.seen.values():
            if seen.answered:
                views.setdefault(seen.roster.digest, set()).add(seen.U3)
        return views

    def learned(self) -> list[Learned]:
        """A basis of the combinations of honest inputs that the coalition can compute."""
        clients, columns, known = [], [], {}
        for u, seen in self.seen.items():
            if seen.y is not None:
                unknown, known[u] = self._strip(u, seen)
                clients.append(u)
                columns.append(unknown)
        return [
            self._compute({clients[i]: factor for i, factor in vector.items()}, known)
            for vector in null_space(columns)
        ]

    def _strip(self, u: int, seen: Seen) -> tuple[dict[Any, int], RingVector]:
        """The unknown masks in y_u with their signs, and y_u without the known ones."""
        binding = seen.binding
        unknown: dict[Any, int] = {}
        streams = []
        b_u, s_sk_u = self.opened_b(u), self.opened_s_sk(u)
        if b_u is None:
            unknown["b", u] = 1
        else:
            streams.append((binding.self_seed(b_u, u), -1))
        for v in seen.U2:
            entry, own = seen.entry(v), seen.entry(u)
            s_sk_v = self.secret(self.shares.s_sk, entry.s_pk)
            if s_sk_u is None and s_sk_v is None:
                pair = (seen.binding, *sorted([own.s_pk, entry.s_pk]))
                unknown[pair] = masks.sign(u, v)
                continue
            secret, public = (s_sk_u, entry.s_pk) if s_sk_u else (s_sk_v, own.s_pk)
            seed = binding.pairwise_seed(exchange(secret or b"", public), u, v)
            streams.append((seed, -masks.sign(u, v)))
        if seen.y is None:
            raise RuntimeError(f"client {u} has not sent a masked input")
        words = seen.y.copy()
        masks.add_masks([words], streams)
        return unknown, words

    def _compute(self, factors: dict[int, int], known: dict[int, RingVector]) -> Learned:
        total = np.zeros(SPEC.length + 1, SPEC.dtype)
        for u, factor in factors.items():
            total += known[u] * SPEC.dtype.type(factor % 2**SPEC.bits)
        return Learned(factors, total[:-1].tolist())


def harm(coalition: Coalition) -> str | None:
    """What the coalition has that it must not have."""
    params = coalition.params
    if coalition.both_opened():
        return f"both secrets of {coalition.both_opened()}"
    if any(len(views) > 1 for views in coalition.views().values()):
        return f"two U3: {coalition.views()}"
    taken: set[int] = set()
    for learned in coalition.learned():
        if len(learned.clients) < params.min_survivors - params.corrupt:
            return f"a sum over only {learned.clients}"
        if taken & set(learned.clients):
            return f"two sums that hold {taken & set(learned.clients)}"
        taken |= set(learned.clients)
    return None


def alone(party: Coalition, victims: tuple[int, ...]) -> list[tuple[int, ...]]:
    """These honest clients in a roster with every corrupt one, to the end: whose sums it learns."""
    roster = party.roster(victims)
    for u in victims:
        party.show_roster(u, roster)
    for u in victims:
        if u in party.seen:
            party.show_senders(u, {entry.u for entry in roster.entries} - {u})
    answered = [u for u in party.seen if party.show_U3(u, [entry.u for entry in roster.entries])]
    for u in answered:
        party.show_signatures(u)
    return [learned.clients for learned in party.learned()]
