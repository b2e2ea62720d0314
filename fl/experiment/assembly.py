"""The objects that follow from the settings: division, model, process, sum, digests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import keras
import numpy as np

from fl.aggregators.clipping import AdaptiveNorm, ByNorm
from fl.aggregators.codings import Coding, Rotated
from fl.aggregators.interface import Aggregator
from fl.aggregators.observed import Observed, ObservedSum
from fl.aggregators.plain import PlainSum
from fl.aggregators.secure import Progress, SecureSum
from fl.data.clients import ClientData
from fl.data.federated import Division, Federated
from fl.data.shakespeare import SYMBOLS
from fl.errors import AggregationError, SecAggError
from fl.experiment import model_zoo, names, noise, registry
from fl.experiment.settings import Settings
from fl.population.devices import CONDITIONS, Condition, at_least
from fl.process.federated_process import FederatedProcess


@dataclass(frozen=True)
class Simulation:
    """How the secure sum is simulated, on which no result depends; as for `SecureSum`.

    on_seen: as for `ObservedSum`; a sum in the clear has nothing to show, and of a training that
        promises privacy nothing is kept.
    """

    executor: Executor | None = None
    progress: Progress | None = None
    on_seen: Callable[[Observed], None] | None = None


HERE = Simulation()
"""In this process, unwatched."""


def digests(settings: Settings, data: Federated) -> dict[str, str]:
    """What the result follows from besides: of the examples, and of the file of a model."""
    if not settings.model.endswith(".keras"):
        return data.digests()
    with open(settings.model, "rb") as file:
        model = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    return {**data.digests(), "model_file": model}


def division(settings: Settings) -> Division:
    """How the data set is divided."""
    return Division(
        rule=settings.partition,
        clients=settings.clients,
        alpha=settings.alpha,
        per_client=settings.shards,
        seed=settings.seed,
    )


def sizes(clients: ClientData) -> dict[str, int]:
    """How many examples each client has."""
    return {client: clients.count(client) for client in clients.client_ids}


def conditions(settings: Settings) -> list[Condition]:
    """What a client's status must be."""
    named = [CONDITIONS[name] for name in settings.conditions]
    return [*named, at_least(settings.min_examples)]


def model_of(settings: Settings, data: Federated) -> Callable[[], keras.Model]:
    """The function that makes the model, with an output for each label of the test examples."""
    example = data.train.arrays(data.train.client_ids[0])
    text = settings.model == names.TEXT
    classes = SYMBOLS if text else int(np.max(data.test.pooled()[1])) + 1
    return model_zoo.model_fn(settings.model, example, classes, settings.seed, settings.initial)


def process_of(
    settings: Settings,
    model_fn: Callable[[], keras.Model],
    aggregator: Aggregator,
    workers: int = 1,
) -> FederatedProcess:
    """The algorithm's process. Raises FLError."""
    return registry.build(
        settings.algorithm,
        model_fn,
        client_rate=settings.client_lr,
        server_rate=settings.server_lr,
        extra={"proximal_strength": settings.proximal_strength},
        alike=settings.private,
        aggregator=aggregator,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        shuffle=settings.shuffle,
        seed=settings.seed,
        workers=workers,
    )


def aggregator(settings: Settings, simulation: Simulation, multiplier: float | None) -> Aggregator:
    """The sum, how updates are clipped before it, and its noise.

    multiplier: of the noise; None without. Raises AggregationError and PrivacyError.
    """
    plainly = sum_of(settings, simulation, multiplier)
    if multiplier is not None:
        noisy = settings.noise_of_clients
        return plainly if noisy else noise.central(settings, multiplier, plainly)
    summed = _watched(plainly, simulation)
    if settings.clip_quantile is not None:
        initial = AdaptiveNorm.initial if settings.clip_norm is None else settings.clip_norm
        return AdaptiveNorm(summed, initial=initial, quantile=settings.clip_quantile)
    return summed if settings.clip_norm is None else ByNorm(summed, settings.clip_norm)


def _watched(summed: PlainSum | SecureSum, simulation: Simulation) -> Aggregator:
    if simulation.on_seen is None or isinstance(summed, PlainSum):
        return summed
    return ObservedSum(summed, simulation.on_seen)


def check_sum(settings: Settings, examples: Mapping[str, int]) -> None:
    """Raise AggregationError where not even a full round could be summed, or no client counts."""
    n = min(settings.clients_per_round, len(examples))
    if n < 2:
        raise AggregationError(f"{n} client, expected at least 2: the sum would be its update")
    try:
        sum_of(settings, HERE).check(n)
    except (AggregationError, SecAggError) as error:
        given = "" if settings.threshold is None else f"--threshold {settings.threshold}: "
        raise AggregationError(f"{given}{error}") from error
    if settings.aggregator == "secure" and min(examples.values()) > settings.max_weight:
        raise AggregationError(
            f"no client has at most --max-weight {settings.max_weight} examples, expected some"
        )


def sum_of(
    settings: Settings, simulation: Simulation, multiplier: float | None = None
) -> PlainSum | SecureSum:
    """The sum alone. multiplier: of the clients' noise, where they add some. Raises FLError."""
    if settings.aggregator == "plain":
        return PlainSum(threshold=settings.threshold)
    names.check_sum(settings.aggregator)
    clip = settings.clip or registry.clip_of(settings.algorithm)
    summed = SecureSum(
        threshold=settings.threshold,
        corrupt=settings.corrupt,
        clip=clip,
        bits=SecureSum.bits if settings.noise_of_clients else settings.bits,
        max_weight=settings.max_weight,
        executor=simulation.executor,
        progress=simulation.progress,
    )
    coding: Coding | None = None
    if settings.noise_of_clients and multiplier is not None:
        coding = noise.coding_of(settings, multiplier)
    elif settings.rotate:
        coding = Rotated(
            bits=settings.bits,
            keep=settings.keep_coordinates,
            margin=settings.rotate_margin,
            clip=clip or Rotated.clip,
            max_weight=settings.max_weight,
        )
    if coding is None:
        return summed
    return replace(summed, clip=SecureSum.clip, bits=SecureSum.bits, coding=coding)
