"""A whole run on the server: rounds, a line for each, and where a new run goes on.

    for line in Rounds(process, coordinator, run_dir, rounds=20): ...

That a round has begun is on the disk before the first node hears of it. A run that goes on after
its server was killed begins with the next round, so that no client is asked to answer a round
twice: the round that was under way is recorded as failed, as one that too few clients finish is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, cast

from fl.errors import ImplausibleSum, SecAggError
from fl.experiment.checkpoint import write_atomically
from fl.experiment.metrics import RunLine
from fl.experiment.run_directory import RunDir
from fl.experiment.settings import Setting
from fl.flower.coordinator import Coordinator
from fl.flower.exchange import Transport
from fl.population.sampling import Sampler, round_rng
from fl.process.client_half import ClientHalf
from fl.process.server_half import ServerHalf

State = Any  # a dataclass with a `round`: that of a training, of k-means, of an evaluation


class Process(Protocol):
    """What runs: whatever a builder of `fl` gives that has two halves."""

    @property
    def client_half(self) -> ClientHalf: ...

    @property
    def server_half(self) -> ServerHalf[Any, Any]: ...

    def initialize(self) -> Any: ...


class Rounds:
    """Iterate over it for the rounds that are left; `state` is the latest.

    settings: what the run's result follows from; the folder of a run with others is refused.
    sampler: whom to ask, of the nodes that are there; None is everybody.
    fewest: how many nodes are waited for, up to `patience` seconds, before a round begins.
    """

    def __init__(
        self,
        process: Process,
        coordinator: Coordinator[Any, Any],
        transport: Transport,
        folder: str | Path,
        *,
        rounds: int,
        fewest: int,
        settings: Mapping[str, Setting] | None = None,
        sampler: Sampler | None = None,
        seed: int = 0,
        patience: float = 120.0,
    ) -> None:
        self._coordinator = coordinator
        self._transport = transport
        self._rounds = rounds
        self._fewest = fewest
        self._sampler = sampler
        self._seed = seed
        self._patience = patience
        self.directory = RunDir(folder, dict(settings or {}))
        initial = process.initialize()
        found = self.directory.resume(initial, {})
        self.state: State = found.state if found else initial

    def __iter__(self) -> Iterator[RunLine]:
        if (begun := self._begun()) >= self.state.round:
            yield self._recorded(self._failed(begun, "the server was stopped in this round"))
        while self.state.round < self._rounds:
            write_atomically(self._mark, lambda file: file.write(b"%d" % self.state.round))
            yield self._recorded(self._round())
        self._coordinator.close()
        self.directory.close()

    @property
    def _mark(self) -> Path:
        return self.directory.path / "begun"

    def _begun(self) -> int:
        """The last round that any node may have heard of; -1 before the first."""
        return int(self._mark.read_text("ascii")) if self._mark.exists() else -1

    def _round(self) -> RunLine:
        number, started = self.state.round, time.perf_counter()
        try:
            self.state, metrics = self._coordinator.round(self.state, self._asked(number))
            line = cast(RunLine, dict(metrics))
        except (SecAggError, ImplausibleSum) as error:
            line = self._failed(number, str(error))
        line["seconds"]["round"] = time.perf_counter() - started
        return line

    def _failed(self, number: int, why: str) -> RunLine:
        """A round that gives no new weights: the next one has the next number."""
        self.state = replace(self.state, round=number + 1)
        return {"round": number + 1, "failed": why, "seconds": {}}

    def _recorded(self, line: RunLine) -> RunLine:
        self.directory.record(line)
        self.directory.save(self.state, self.state.round)
        return line

    def _asked(self, number: int) -> Sequence[int]:
        """The nodes of a round, once enough are there."""
        until = time.monotonic() + self._patience
        while len(nodes := sorted(self._transport.nodes())) < self._fewest:
            if time.monotonic() > until:
                break
            time.sleep(0.1)
        if self._sampler is None:
            return nodes
        rng = round_rng(self._seed, number, "sample")
        return [int(node) for node in self._sampler.sample([str(node) for node in nodes], rng)]
