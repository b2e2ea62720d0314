"""Clients that answer in an executor's workers: the session is the one without, bit for bit."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import secagg
from secagg import LocalProtocolError, Params, VectorSpec, wire
from secagg.masks import jobs
from secagg.masks.prg import RingVector
from secagg.messages import AdvertiseKeys
from tests.helpers.executors import Elsewhere
from tests.helpers.sessions import Damaged, Recorder, Session, outcomes, sessions
from tests.helpers.strategies import CounterRand, signing_keys

CLIENTS = (30, 10, 20, 2**62, 0, 7, 8, 9)
X = VectorSpec("x", 5, 13)
PARAMS = Params(len(CLIENTS), [X], t=5, corrupt=0)
KEYS = signing_keys(CLIENTS)


@pytest.fixture(autouse=True, scope="module")
def _small_jobs() -> Iterator[None]:
    """Three batches of clients, however few: the last may be smaller, or missing."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(jobs, "LEAST_MASKS", 3)
        patched.setattr(jobs, "MOST_JOBS", 3)
        yield


def inputs() -> dict[int, RingVector]:
    return {u: np.arange(5, dtype=np.uint16) + i for i, u in enumerate(CLIENTS)}


def seen(executor: Executor | None, **options: Any) -> dict[str, Any]:
    """What `run` does, as far as it does not depend on fresh keys."""
    link, progress = Recorder(), list[tuple[int, int, int]]()
    result = secagg.run(
        PARAMS,
        inputs(),
        signing_keys=KEYS,
        executor=executor,
        link=link,
        progress=lambda *done: progress.append(done),
        **options,
    )
    fields = (result.sum.tolist(), result.survivors, result.dropped, result.disputes)
    arrows = [(s, r, type(wire.decode(frame))) for s, r, frame in link.frames]
    return {"result": fields, "progress": progress, "arrows": arrows}


@settings(max_examples=settings().max_examples // 2)
@given(sessions(), st.booleans())
def test_the_sum_is_exactly_right_or_there_are_too_few_clients(
    session: Session, threads: bool
) -> None:
    with ThreadPoolExecutor(2) if threads else Elsewhere() as executor:
        seen, expected = outcomes(session, executor)
    assert seen == expected


@settings(max_examples=settings().max_examples // 4)
@given(st.dictionaries(st.sampled_from(CLIENTS), st.integers(0, 4), max_size=3))
def test_the_session_is_the_one_without_an_executor(drop: dict[int, int]) -> None:
    with ThreadPoolExecutor(2) as threads:
        assert seen(threads, drop=drop) == seen(None, drop=drop)


def test_a_process_pool() -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        options = {"drop": {10: 2, 7: 4}, "contexts": {8: b"another model"}}
        within = seen(pool, **options)
    assert within == seen(None, **options)
    assert within["result"][2] == {7: 4, 8: 0, 10: 2}


@pytest.mark.parametrize("bit", [0, 8 * 40, 8 * 400])
@pytest.mark.parametrize("frame", range(8, 16))
def test_a_client_that_refuses_in_its_worker_is_silent_and_no_other_is(
    frame: int, bit: int
) -> None:
    """The roster as one client is shown it, its version or some bit of the keys in it changed."""
    victim = sorted(CLIENTS)[frame - 8]
    drops = []
    for executor in (None, Elsewhere()):
        result = secagg.run(
            PARAMS, inputs(), signing_keys=KEYS, link=Damaged(frame, bit), executor=executor
        )
        drops.append(result.dropped)
        assert result.sum.tolist() == sum(inputs()[u] for u in result.survivors).tolist()
    assert drops == [{victim: 1}, {victim: 1}]


def test_a_frame_that_is_lost_leaves_its_client_behind() -> None:
    for executor in (None, Elsewhere()):
        result = secagg.run(
            PARAMS, inputs(), signing_keys=KEYS, link=Damaged(8 + 16, None), executor=executor
        )
        assert result.dropped == {0: 2}


def test_inputs_travel_once_and_the_roster_once_a_job() -> None:
    elsewhere, link = Elsewhere(), Recorder()
    x = inputs()
    x[20] = np.array([8191, 7777, 6666, 5555, 4444], np.uint16)
    secagg.run(PARAMS, x, signing_keys=KEYS, executor=elsewhere, link=link)
    sent = [job for job in elsewhere.jobs if b"_answer" in job]
    assert len(sent) == 5 * 3
    assert [i // 3 for i, job in enumerate(sent) if x[20].tobytes() in job] == [2]
    hello = wire.decode(link.frames[0][2])
    assert isinstance(hello, AdvertiseKeys)
    assert {job.count(hello.commitment) for job in sent[6:]} == {1}


def test_who_dropped_is_not_sent_to_a_worker_any_more() -> None:
    elsewhere = Elsewhere()
    x = inputs()
    x[20] = np.array([8191, 7777, 6666, 5555, 4444], np.uint16)
    secagg.run(PARAMS, x, signing_keys=KEYS, executor=elsewhere, drop={20: 2})
    assert not [job for job in elsewhere.jobs if x[20].tobytes() in job]


def test_small_work_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 clients with 5 masks each at least: 40 of them."""
    elsewhere = Elsewhere()
    monkeypatch.setattr(jobs, "LEAST_MASKS", 21)
    secagg.run(PARAMS, inputs(), signing_keys=KEYS, executor=elsewhere)
    assert elsewhere.jobs == []
    monkeypatch.setattr(jobs, "LEAST_MASKS", 20)
    secagg.run(PARAMS, inputs(), signing_keys=KEYS, executor=elsewhere)
    assert len(elsewhere.jobs) == 5 * 2


def test_randomness_of_the_caller_is_not_copied_to_workers() -> None:
    for rand in (CounterRand(b""), lambda count: bytes(count), os.urandom):
        with pytest.raises(LocalProtocolError, match="rand with an executor, expected one"):
            secagg.run(PARAMS, inputs(), rand=rand, executor=Elsewhere())


# An executor that breaks


class Stuck(Elsewhere):
    """Does so many jobs, and leaves the others waiting."""

    def __init__(self, does: int) -> None:
        super().__init__()
        self.does, self.waiting = does, list[Future[Any]]()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if len(self.jobs) < self.does:
            return super().submit(fn, *args)
        self.waiting.append(Future())
        return self.waiting[-1]

    def cancelled(self) -> list[bool]:
        return [job.cancelled() for job in self.waiting]


def test_what_a_worker_raises_is_raised_and_no_job_is_left_waiting() -> None:
    class Broken(Stuck):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future = super().submit(fn, *args)
            if len(self.waiting) == 1:
                future.set_exception(MemoryError("no room"))
            return future

    executor = Broken(4)
    with pytest.raises(MemoryError, match="no room"):
        secagg.run(PARAMS, inputs(), executor=executor)
    assert executor.cancelled() == [False, True]


def test_an_executor_that_takes_no_more_jobs_raises_and_none_is_left_waiting() -> None:
    class Closed(Stuck):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            if len(self.waiting) == 2:
                raise RuntimeError("cannot schedule new futures after shutdown")
            return super().submit(fn, *args)

    executor = Closed(3)
    with pytest.raises(RuntimeError, match="after shutdown"):
        secagg.run(PARAMS, inputs(), executor=executor)
    assert executor.cancelled() == [True, True]


def test_no_job_is_left_waiting_when_the_caller_stops() -> None:
    class StopError(Exception):
        """Whoever watches has seen enough."""

    def stop(round: int, done: int, of: int) -> None:
        if round == 1:
            raise StopError

    executor = Stuck(4)
    with pytest.raises(StopError):
        secagg.run(PARAMS, inputs(), executor=executor, progress=stop)
    assert executor.cancelled() == [True, True]


def test_a_pool_whose_worker_dies_is_broken_and_nothing_hangs() -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:

        def kill(round: int, done: int, of: int) -> None:
            if (round, done) == (1, 1):
                pool.submit(os._exit, 1)

        with pytest.raises(BrokenProcessPool):
            secagg.run(PARAMS, inputs(), executor=pool, progress=kill)


@pytest.mark.slow
def test_dask() -> None:
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
    )
    with cluster, distributed.Client(cluster) as dask:
        within = seen(dask.get_executor(), drop={10: 2, 7: 4})
    assert within == seen(None, drop={10: 2, 7: 4})
