"""A round in one process: a loop over the clients' half and the server's.

    message -> every client's contribution -> the aggregator's sum -> next state and report

Contributions of clients are seen here only to hand them to the aggregator: this is the simulation,
not a server to trust.
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


def play(
    client: ClientHalf,
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
    started = time.perf_counter()
    # Every client reads and hashes the bytes that it was sent; here all are sent the same.
    received = client.read(server.message(state))
    with watching():  # not around the whole: the bars are gone when the server's half warns
        contributions = for_each_client(
            client_data,
            lambda number, data: client.contribution(received, number, data),
            client.work.workers,
        )
        worked = time.perf_counter() - started
        session = Session(
            received.round,
            received.seed,
            [received.digest] * len(client_data),
            gone,
            received.weighted,
            server.carried(state),
            client.work.metrics,
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
    """
    watch, begun = current(), itertools.count(1)

    def one(client: int) -> Contribution | str | None:
        watch.trained(next(begun), len(client_data))
        try:
            return work(client, client_data[client])
        except DataError as error:
            return str(error)  # the error itself would keep the client's data

    n = len(client_data)
    if workers == 1:
        done = _usable(map(one, range(n)), n)
    else:
        with ThreadPoolExecutor(workers) as pool:
            done = _usable(pool.map(one, range(n)), n)
    sizes = next(each.sizes for each in done if isinstance(each, Contribution))
    return [
        each if isinstance(each, Contribution) else Contribution.left_out(sizes, each is not None)
        for each in done
    ]


def _usable(
    results: Iterable[Contribution | str | None], n: int
) -> list[Contribution | str | None]:
    """The results of n clients: contributions, what is wrong with a client's data, None for none.

    Raises as soon as it is known that most are of no use.
    """
    done: list[Contribution | str | None] = []
    wrong: dict[int, str] = {}
    for client, result in enumerate(results):
        done.append(result)
        if isinstance(result, str):
            wrong[client] = result
            if 2 * len(wrong) >= n:
                break  # whatever the others have
    given = len(done) - len(wrong) - done.count(None)
    if wrong and len(wrong) >= given:
        raise DataError("client {}: {}".format(*next(iter(wrong.items()))))
    if not given:
        raise NoExamples(f"none of {n} clients has an example, expected at least one")
    if wrong:
        warn(_left_out(wrong, n), SumWarning)
    return done


def _left_out(wrong: Mapping[int, str], n: int) -> str:
    """A warning of clients by their positions, the reasons of the first ones."""
    positions = ", ".join(map(str, [*wrong][:_NAMED])) + (", ..." if len(wrong) > _NAMED else "")
    reasons = "; ".join(dict.fromkeys([*wrong.values()][:_NAMED]))
    return (
        f"{len(wrong)} of {n} clients count for nothing, because of their data: {reasons} "
        f"(client_data[i] for i = {positions})"
    )
