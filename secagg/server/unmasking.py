"""Round 4 on the server: the masks that the reconstructed secrets remove, here or in workers.

    z = Σ_{u∈U3} y_u − Σ_{u∈U3} PRG(b_u) − Σ_{u∈U3, v∈(U2∖U3)∩N(u)} ±PRG(s_uv)

A job is picklable and gives a partial sum of masks.  Addition mod 2^w commutes, so the result is
the same bit for bit wherever the jobs ran and in whatever order they ended.  Jobs contain secrets
of this session; nothing here judges the workers that see them.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from secagg import masks
from secagg.keys import Transcript
from secagg.masks.jobs import jobs_for
from secagg.masks.prg import RingVector
from secagg.masks.suites import Suite, prg_of
from secagg.roster import CheckedRoster
from secagg.server.neighbourhoods import Flags, Neighbourhoods


@dataclass(frozen=True)
class Orphaned:
    """v outside U3, its key, and the neighbours in U3 that have masks with it: id and s_pk."""

    v: int
    s_sk: bytes = field(repr=False)
    peers: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class Work:
    """Masks to remove: self masks by their seeds, pairwise masks by the keys that lead to them."""

    transcript: Transcript
    self_seeds: tuple[bytes, ...] = field(repr=False)
    orphaned: tuple[Orphaned, ...]
    suite: Suite

    def streams(self) -> Iterator[tuple[bytes, int]]:
        """(seed, sign) of each mask, as `masks.add_masks` takes them."""
        yield from ((seed, -1) for seed in self.self_seeds)
        parsed = cache(X25519PublicKey.from_public_bytes)
        for orphan in self.orphaned:
            key = X25519PrivateKey.from_private_bytes(orphan.s_sk)
            for u, s_pk in orphan.peers:
                seed = self.transcript.pairwise_seed(key.exchange(parsed(s_pk)), orphan.v, u)
                yield seed, -masks.sign(u, orphan.v)

    def __len__(self) -> int:
        """How many masks."""
        return len(self.self_seeds) + sum(len(orphan.peers) for orphan in self.orphaned)

    def split(self, jobs: int) -> Iterator["Work"]:
        """The same masks as at most `jobs` pieces of equal size."""
        pairs = [(orphan, peer) for orphan in self.orphaned for peer in orphan.peers]
        own, size = len(self.self_seeds), -(-len(self) // jobs)
        for start in range(0, len(self), size):
            seeds = self.self_seeds[start : start + size]
            mine = pairs[max(0, start - own) : max(0, start + size - own)]
            by_owner = groupby(mine, key=lambda pair: (pair[0].v, pair[0].s_sk))
            yield Work(
                self.transcript,
                seeds,
                tuple(Orphaned(v, s_sk, tuple(p for _, p in ps)) for (v, s_sk), ps in by_owner),
                self.suite,
            )


def orphaned(
    roster: CheckedRoster, neighbourhoods: Neighbourhoods, in_U3: Flags, mask_keys: dict[int, bytes]
) -> tuple[Orphaned, ...]:
    """For each v whose s_sk was reconstructed, by roster index: who has a mask with it."""
    return tuple(
        Orphaned(
            roster.ids[i],
            s_sk,
            tuple(
                (roster.ids[j], roster.s_pk(j))
                for j in neighbourhoods.members[i][in_U3[neighbourhoods.members[i]]].tolist()
            ),
        )
        for i, s_sk in mask_keys.items()
    )


def remove_masks(
    accumulator: Sequence[RingVector], work: Work, executor: Executor | None = None
) -> None:
    """Remove all masks of `work`, in place; what the executor raises goes through."""
    jobs = jobs_for(len(work))
    if executor is None or jobs < 2:
        masks.add_masks(accumulator, work.streams(), prg_of(work.suite))
        return
    shapes = tuple((vector.dtype.str, len(vector)) for vector in accumulator)
    # No name keeps a future alive: what it returned is freed once it is added.
    for future in as_completed({executor.submit(_masks, w, shapes) for w in work.split(jobs)}):
        for total, part in zip(accumulator, future.result(), strict=True):
            np.add(total, part, out=total)


def _masks(work: Work, shapes: tuple[tuple[str, int], ...]) -> list[RingVector]:
    """The sum of all masks of one job, with the signs that remove them."""
    vectors: list[RingVector] = [np.zeros(length, dtype) for dtype, length in shapes]
    masks.add_masks(vectors, work.streams(), prg_of(work.suite))
    return vectors
