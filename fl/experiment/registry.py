"""The algorithms that the command line offers by name: a table.

An algorithm is a builder and a server optimizer. A new one is a new line of the table; what its
builder takes besides the common arguments is named in `takes` and comes from the command line.
Nothing of TensorFlow is imported before `build` is called.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from fl.errors import ModelError

if TYPE_CHECKING:
    import keras

    from fl.aggregators.interface import Aggregator
    from fl.process.federated_process import FederatedProcess


@dataclass(frozen=True)
class Algorithm:
    """One algorithm.

    builder, server: "module:name" of the builder, and of the server optimizer's class.
    alike: that of the builder in which every client counts the same; None where there is none.
    server_options: for that class. server_rate: its learning rate where none is given.
    takes: arguments of the builder that only this algorithm has.
    local: whether clients have an optimizer, epochs and shuffling of their own.
    clip: the largest coordinate of an update where none is given; None sums exactly.
    """

    summary: str
    builder: str = "fl.algorithms.fedavg:build_weighted_fed_avg"
    alike: str | None = "fl.algorithms.fedavg:build_unweighted_fed_avg"
    server: str = "keras.optimizers:SGD"
    server_options: Mapping[str, float] = field(default_factory=dict)
    server_rate: float = 1.0
    takes: tuple[str, ...] = ()
    local: bool = True
    clip: float | None = 4.0


ALGORITHMS: dict[str, Algorithm] = {
    "fedavg": Algorithm("federated averaging, by number of examples"),
    "fedavg-unweighted": Algorithm(
        "federated averaging, every client alike",
        builder="fl.algorithms.fedavg:build_unweighted_fed_avg",
    ),
    "fedsgd": Algorithm(
        "one step on the gradient of all",
        "fl.algorithms.fedsgd:build_fed_sgd",
        alike=None,
        server_rate=0.1,
        local=False,
        clip=None,
    ),
    "fedprox": Algorithm(
        "drawn back to the round's weights",
        "fl.algorithms.fedprox:build_weighted_fed_prox",
        alike="fl.algorithms.fedprox:build_unweighted_fed_prox",
        takes=("proximal_strength",),
    ),
    "fedavgm": Algorithm("momentum 0.9 on the server", server_options={"momentum": 0.9}),
    "fedadam": Algorithm(
        "Adam on the server", server="fl.algorithms.adaptive:FedAdam", server_rate=0.01
    ),
    "fedyogi": Algorithm(
        "Yogi on the server", server="fl.algorithms.adaptive:FedYogi", server_rate=0.01
    ),
    "fedadagrad": Algorithm(
        "Adagrad on the server", server="fl.algorithms.adaptive:FedAdagrad", server_rate=0.1
    ),
}


class Options(TypedDict):
    """Arguments of every builder; clients that make no steps of their own do without `_LOCAL`."""

    aggregator: Aggregator
    batch_size: int
    epochs: int
    shuffle: bool
    seed: int
    workers: int


def build(
    name: str,
    model_fn: Callable[[], keras.Model],
    *,
    client_rate: float,
    server_rate: float | None,
    extra: Mapping[str, float],
    alike: bool = False,
    **options: Unpack[Options],
) -> FederatedProcess:
    """A process of the algorithm. extra: arguments that some algorithms take. alike: every client
    counts the same, whatever the algorithm has otherwise. Raises ModelError."""
    algorithm = _algorithm(name)
    rate = algorithm.server_rate if server_rate is None else server_rate
    given: dict[str, Any] = {key: extra[key] for key in algorithm.takes}
    given |= options
    if algorithm.local:
        given["client_optimizer_fn"] = lambda: _named("keras.optimizers:SGD")(client_rate)
    else:
        given = {key: value for key, value in given.items() if key not in _LOCAL}
    process: FederatedProcess = _named(_builder(name, alike))(
        model_fn,
        server_optimizer_fn=lambda: _named(algorithm.server)(rate, **algorithm.server_options),
        **given,
    )
    return process


def _builder(name: str, alike: bool) -> str:
    algorithm = _algorithm(name)
    builder = algorithm.alike if alike else algorithm.builder
    if builder is None:
        raise ModelError(
            f"algorithm {name!r}, in which clients count by their examples, with noise, expected "
            "one in which all can count alike, such as fedavg"
        )
    return builder


def clip_of(name: str) -> float | None:
    """An algorithm's `clip`. Raises ModelError."""
    return _algorithm(name).clip


def check_name(name: str) -> str:
    """The name. Raises ModelError unless it is one of ALGORITHMS."""
    if name not in ALGORITHMS:
        raise ModelError(f"unknown algorithm {name!r}, expected one of {', '.join(ALGORITHMS)}")
    return name


def _algorithm(name: str) -> Algorithm:
    return ALGORITHMS[check_name(name)]


_LOCAL = ("batch_size", "epochs", "shuffle")


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
