"""A ServerApp around a run: rounds over Flower's grid, with the run directory of `fl train`.

    [tool.flwr.app.config]            what `flwr run --run-config` sets, and what stands here else
    federation = "/srv/fl/server"     the server's folder
    run-dir = "/srv/fl/run"           a new `flwr run` goes on from what is in it
    rounds = 20
    training-seconds = 600.0          deadlines: of the first answer, which has the training
    round-seconds = 120.0             of each other one
    patience-seconds = 120.0          how long a round waits until there are enough nodes
    aggregator = ""                   "secure" or "plain"; "": what its federation.toml says
    conditions = ""                   such as "charging idle": devices that are not take no part

A node answers by its own federation.toml: one whose sum is another one refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from fl.experiment.metrics import RunLine
from fl.flower import federation
from fl.flower.coordinator import Coordinator
from fl.flower.exchange import Deadlines
from fl.flower.grid import GridTransport
from fl.flower.lines import Lines
from fl.flower.requirement import require_flower
from fl.flower.rounds import Process, Rounds
from fl.process.reports import summary
from fl.progress.watch import watched_by

if TYPE_CHECKING:
    from flwr.app import Context
    from flwr.serverapp import Grid, ServerApp

    from fl.population.sampling import Sampler

Value = bool | bytes | float | int | str

_DEFAULTS: dict[str, Value] = {
    "run-dir": "run",
    "rounds": 10,
    "training-seconds": 600.0,
    "round-seconds": 120.0,
    "patience-seconds": 120.0,
    "aggregator": "",
    "conditions": "",
}


def say(line: RunLine) -> None:
    """One round in one line, on the terminal."""
    if "failed" in line:
        print(f"round {line['round']} gives no new weights: {line['failed']}", flush=True)
    else:
        seconds = line["seconds"]["round"]
        print(f"{summary(line)}, {seconds:.1f} s", flush=True)


def server_app(
    process: Callable[[], Process],
    examples: Callable[[], object],
    config: Mapping[str, Value] | None = None,
    *,
    sampler: Sampler | None = None,
    each_round: Callable[[RunLine], None] = say,
    finished: Callable[[Process, Rounds], None] | None = None,
) -> ServerApp:
    """A ServerApp that runs a process.

    process: builds it.
    examples: of the clients' form, such as a row of zeros.
    config: what the run's configuration does not say, by the names above.
    sampler: whom to ask of the nodes that are there; None is everybody.
    finished: called at the end, for example to save the model.
    """
    require_flower()
    from flwr.serverapp import ServerApp

    app = ServerApp()

    def main(grid: Grid, context: Context) -> None:
        chosen = {**_DEFAULTS, **(config or {}), **context.run_config}
        built = process()
        rounds = _rounds(built, examples(), GridTransport(grid), chosen, sampler)
        with watched_by(Lines(lambda: rounds.state.round + 1)):
            for line in rounds:
                each_round(line)
        if finished is not None:
            finished(built, rounds)

    app.main()(main)
    return app


def _rounds(
    process: Process,
    examples: object,
    transport: GridTransport,
    chosen: Mapping[str, Value],
    sampler: Sampler | None,
) -> Rounds:
    """The run that a configuration describes."""
    agreed = _agreed(chosen)
    deadlines = Deadlines(
        training=float(chosen["training-seconds"]), round=float(chosen["round-seconds"])
    )
    halves = process.server_half, process.client_half
    conditions = str(chosen["conditions"]).split()
    coordinator = Coordinator(agreed, *halves, examples, transport, deadlines, conditions)
    return Rounds(
        process,
        coordinator,
        transport,
        str(chosen["run-dir"]),
        rounds=int(chosen["rounds"]),
        fewest=agreed.terms.n,
        settings=agreed.stated,
        sampler=sampler,
        patience=float(chosen["patience-seconds"]),
    )


def _agreed(chosen: Mapping[str, Value]) -> federation.Federation:
    """The server's federation, with the sum that the configuration names, if it names one."""
    agreed = federation.read(str(chosen["federation"]))
    name = str(chosen["aggregator"])
    return replace(agreed, terms=replace(agreed.terms, sum=name)) if name else agreed
