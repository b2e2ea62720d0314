"""Masks removed by jobs: the sum is the same bit for bit, in whatever process they ran."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest

import secagg
from secagg import keys
from secagg.masks import jobs
from secagg.server.unmasking import Orphaned, Work
from tests.helpers.executors import Elsewhere
from tests.helpers.party import Party


@pytest.fixture
def small_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LEAST_MASKS", 3)


def closed_with(executor: Executor | None) -> tuple[secagg.Aggregate, Party]:
    """A session of 9 clients, 2 gone after ShareKeys: 7 self masks and 14 pairwise to remove."""
    party = Party(9, executor=executor)
    party.after(4, absent={10: 2, 20: 2})
    return party.server.result, party


@pytest.mark.usefixtures("small_jobs")
def test_jobs_remove_what_the_server_would_have_removed() -> None:
    elsewhere = Elsewhere()
    result, party = closed_with(elsewhere)
    assert result.sum.tolist() == party.expected(result.survivors)
    assert len(elsewhere.jobs) == 7


@pytest.mark.usefixtures("small_jobs")
def test_a_process_pool() -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        result, party = closed_with(pool)
    assert result.sum.tolist() == party.expected(result.survivors)


@pytest.mark.usefixtures("small_jobs")
def test_what_a_worker_raises_ends_the_session_without_a_sum() -> None:
    class Broken(Elsewhere):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(MemoryError("no room"))
            return future

    party = Party(9, executor=Broken()).after(3)
    party.collect()
    with pytest.raises(MemoryError, match="no room"):
        party.close()
    with pytest.raises(secagg.LocalProtocolError, match="Failed"):
        _ = party.server.result


def test_small_work_stays_here() -> None:
    elsewhere = Elsewhere()
    result, party = closed_with(elsewhere)
    assert result.sum.tolist() == party.expected(result.survivors)
    assert elsewhere.jobs == []


@pytest.mark.parametrize("jobs", [1, 2, 3, 7, 100])
def test_a_split_is_the_same_masks_in_pieces_of_one_size(jobs: int) -> None:
    binding = keys.Transcript(bytes(32), bytes(32))
    peers = tuple((u, np.random.default_rng(u).bytes(32)) for u in range(10, 14))
    gone = tuple(Orphaned(v, bytes([v + 8]) * 32, peers) for v in (1, 2, 3))
    work = Work(binding, tuple(bytes([i]) * 24 for i in range(5)), gone, "aes128-ctr")
    pieces = list(work.split(jobs))
    assert [m for piece in pieces for m in piece.streams()] == list(work.streams())
    assert len(pieces) <= jobs
    assert {len(piece) for piece in pieces[:-1]} <= {-(-17 // jobs)}
    assert {piece.suite for piece in pieces} == {"aes128-ctr"}


@pytest.mark.slow
@pytest.mark.usefixtures("small_jobs")
def test_dask() -> None:
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
    )
    with cluster, distributed.Client(cluster) as dask:
        result, party = closed_with(dask.get_executor())
    assert result.sum.tolist() == party.expected(result.survivors)
