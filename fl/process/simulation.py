"""A round in one process: a loop over the clients' half and the server's.

    message -> every client's contribution -> the aggregator's sum -> next state and report

What a client submits, and what the server decodes of the sums, is inside `Aggregator.aggregate`
here; `ClientHalf.submit` and `ServerHalf.params` and `decode` are for machines of their own.
`tests/fl/process/test_two_halves.py` holds both ways to the same bits. Contributions are seen here
only to hand them to the aggregator: this is the simulation, not a server to trust.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fl.aggregators.contribution import Contribution
from fl.aggregators.interface import Session, check_dropouts
from fl.errors import DataError, NoExamples, SumWarning
from fl.process.client_half import ClientHalf
from fl.process.server_half import ServerHalf
from fl.progress.watch import current, watching
from fl.warn import warn

_NAMED = 10  # how many clients a warning names

S = TypeVar("S")
R = TypeVar("R")

_Result = Contribution | str | None
"""Of one client: its contribution, what is wrong with its data, or None where there are none."""


def play(
    half: ClientHalf,
    server: ServerHalf[S, R],
    state: S,
    client_data: Sequence[object],
    dropouts: Mapping[int, int] | None = None,
) -> R:
    """One round with these clients; `state` is left as it is, whatever happens.

    Raises AggregationError for dropouts that cannot be, DataError and NoExamples as
    `for_each_client`, and what the aggregator and the server's half raise.
    """
    gone = check_dropouts(dropouts or {}, len(client_data))
    # Every client reads and hashes the bytes that it was sent; here all are sent the same.
    received = half.read(server.message(state))
    started = time.perf_counter()
    with watching():  # not around the whole: the bars are gone when the server's half warns
        contributions = for_each_client(
            client_data,
            lambda position, data: half.contribution(received, position, data),
            half.work.workers,
        )
        worked = time.perf_counter() - started
        session = Session(
            round=received.round,
            seed=received.seed,
            contexts=[received.digest] * len(client_data),
            dropouts=gone,
            weighted=received.weighted,
            state=server.carried(state),
            metrics=half.work.metrics,
        )
        total = server.aggregator.aggregate(contributions, session)
    return server.finish(state, total, worked)


def for_each_client(
    client_data: Sequence[object],
    work: Callable[[int, object], Contribution | None],
    workers: int = 1,
) -> list[Contribution]:
    """Run every client's work, `workers` at a time; a client's data are taken out of `client_data`
    only when its turn comes.

    work: None for a client without examples; DataError where they are malformed. Such a client
    contributes zeros and is counted, with a SumWarning where they are malformed.

    Raises DataError where as many clients have malformed data as others have examples: that is a
    mistake of whoever gave the data, and no fault of one client. NoExamples where none has any.
    After an error no further client's work is begun.
    """
    # Taken here: the pool's threads have contexts of their own.
    watch, begun = current(), itertools.count(1)

    def one(position: int) -> _Result:
        watch.trained(next(begun), len(client_data))
        try:
            return work(position, client_data[position])
        except DataError as error:
            return str(error)  # the error itself would keep the client's data

    done = _judged_by_turns(one, len(client_data), workers)
    sizes = next(each.sizes for each in done if isinstance(each, Contribution))
    return [
        each
        if isinstance(each, Contribution)
        else Contribution.left_out(sizes, malformed=isinstance(each, str))
        for each in done
    ]


def _judged_by_turns(one: Callable[[int], _Result], n: int, workers: int) -> list[_Result]:
    """What `one` gives for each of n clients, `workers` at a time; raises as `_judged`."""
    if workers == 1:
        return _judged(map(one, range(n)), n)
    pool = ThreadPoolExecutor(workers)
    try:
        return _judged(pool.map(one, range(n)), n)
    finally:
        # The pool's own exit would wait for clients whose turn has not come, after an error too.
        pool.shutdown(cancel_futures=True)


def _judged(results: Iterable[_Result], n: int) -> list[_Result]:
    """The results of n clients.

    Raises as soon as it is known that at least as many are malformed as are of use.
    """
    done: list[_Result] = []
    wrong: dict[int, str] = {}
    for position, result in enumerate(results):
        done.append(result)
        if isinstance(result, str):
            wrong[position] = result
            if 2 * len(wrong) >= n:
                break  # whatever the others have
    given = len(done) - len(wrong) - done.count(None)
    if wrong and len(wrong) >= given:
        first, reason = next(iter(wrong.items()))
        raise DataError(f"client {first}: {reason}")
    if not given:
        raise NoExamples(f"none of {n} clients has an example, expected at least one")
    if wrong:
        warn(_warning_of(wrong, n), SumWarning)
    return done


def _warning_of(wrong: Mapping[int, str], n: int) -> str:
    """A warning of clients by their positions, the reasons of the first ones."""
    positions = ", ".join(map(str, [*wrong][:_NAMED])) + (", ..." if len(wrong) > _NAMED else "")
    reasons = "; ".join(dict.fromkeys([*wrong.values()][:_NAMED]))
    return (
        f"{len(wrong)} of {n} clients count for nothing, because of their data: {reasons} "
        f"(client_data[i] for i = {positions})"
    )
