"""`fl train` and `fl evaluate`: options, progress bars, lines for people.

    fl train --dataset mnist --data-dir DIR --partition writer --model mlp --rounds 50 --run-dir RUN
    fl evaluate --model RUN/model.keras --dataset mnist --data-dir DIR

What they do is in `training`; nothing of TensorFlow is imported before an option is accepted.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from fl import quiet
from fl.algorithms import ALGORITHMS
from fl.bars import Bars
from fl.data.catalogue import NAMES
from fl.errors import AggregationError, FLError, SumWarning
from fl.pool import masking_pool
from fl.rows import HEAD, line, number

if TYPE_CHECKING:
    from fl.settings import Settings
    from fl.training import Training

PARTITIONS = "iid, sequential, dirichlet, shards, or writer (mnist)"
_DATA = "What to train on"
_ROUND = "A round"
_RUN = "The run"


def _above_zero(value: float | None) -> float | None:
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value} is not a finite number above 0")
    return value


def _option(panel: str, text: str, **limits: Any) -> Any:
    return typer.Option(help=text, rich_help_panel=panel, show_default=True, **limits)


DataSet = Annotated[str, _option(_DATA, f"{', '.join(NAMES)}, or one of tensorflow_datasets.")]
DataDir = Annotated[
    Path | None, _option(_DATA, "Where its files are; without, they are downloaded.")
]
Partition = Annotated[
    str | None, _option(_DATA, f"{PARTITIONS}; default: its own clients, or iid.")
]
Clients = Annotated[int | None, _option(_DATA, "How many; default: all of its own, or 10.", min=1)]
TrainClients = Annotated[
    int | None, _option(_DATA, "How many; default: all of its own, or 10.", min=2)
]
Seed = Annotated[int, _option(_RUN, "Everything follows from it but the keys.", min=0)]
Aggregator = Annotated[str, _option(_ROUND, "secure or plain.")]


def train(
    dataset: DataSet = "digits",
    data_dir: DataDir = None,
    partition: Partition = None,
    clients: TrainClients = None,
    alpha: Annotated[
        float, _option(_DATA, "Of dirichlet: small is unlike.", callback=_above_zero)
    ] = 0.5,
    shards: Annotated[int, _option(_DATA, "Of shards: how many a client has.", min=1)] = 2,
    model: Annotated[
        str, _option(_DATA, "softmax, mlp, cnn, lstm (shakespeare), or FILE.keras.")
    ] = "mlp",
    algorithm: Annotated[str, _option(_ROUND, f"{', '.join(ALGORITHMS)}.")] = "fedavg",
    clients_per_round: Annotated[int, _option(_ROUND, "How many are summed.", min=2)] = 10,
    over_selection: Annotated[
        float, _option(_ROUND, "1.3 asks 130 % of them and takes the first to be ready.", min=1)
    ] = 1.0,
    require: Annotated[
        list[str] | None, _option(_ROUND, "charging, unmetered, idle; may be repeated.")
    ] = None,
    min_examples: Annotated[int, _option(_ROUND, "That a client must have.", min=0)] = 0,
    dropout: Annotated[
        float, _option(_ROUND, "A client's chance to be lost in the session.", min=0, max=1)
    ] = 0.0,
    client_lr: Annotated[
        float, _option(_ROUND, "Learning rate of the clients.", callback=_above_zero)
    ] = 0.1,
    server_lr: Annotated[
        float | None,
        _option(_ROUND, "Of the server; default: the algorithm's.", callback=_above_zero),
    ] = None,
    proximal_strength: Annotated[float, _option(_ROUND, "Of fedprox.", min=0)] = 0.01,
    batch_size: Annotated[int, _option(_ROUND, "Examples a step.", min=1)] = 20,
    epochs: Annotated[int, _option(_ROUND, "Passes over a client's examples.", min=1)] = 1,
    shuffle: Annotated[
        bool, _option(_ROUND, "Whether clients shuffle their examples in every pass.")
    ] = True,
    initial: Annotated[
        str, _option(_ROUND, "First weights: random, or zeros (softmax only).")
    ] = "random",
    aggregator: Aggregator = "secure",
    clip: Annotated[
        float | None,
        _option(
            _ROUND,
            "Largest coordinate of an update, if secure; default: 4, fedsgd: any.",
            callback=_above_zero,
        ),
    ] = None,
    max_weight: Annotated[
        int, _option(_ROUND, "Examples of a client that still counts, if secure.", min=1)
    ] = 16384,
    clip_norm: Annotated[
        float | None,
        _option(_ROUND, "Largest norm of an update; default: any.", callback=_above_zero),
    ] = None,
    clip_quantile: Annotated[
        float | None, _option(_ROUND, "Move the largest norm to this quantile of the norms.")
    ] = None,
    threshold: Annotated[
        float | None,
        _option(_ROUND, "Fraction that must finish; default: above two thirds.", min=0, max=1),
    ] = None,
    rounds: Annotated[int, _option(_RUN, "How many in all.", min=1)] = 20,
    seed: Seed = 0,
    run_dir: Annotated[
        Path | None, _option(_RUN, "Where results go; default: under runs/, by the settings.")
    ] = None,
    workers: Annotated[
        int, _option(_RUN, "Clients trained, and then masked, at a time.", min=1)
    ] = 1,
    checkpoint_every: Annotated[int, _option(_RUN, "Rounds from one to the next.", min=1)] = 1,
    keep: Annotated[int, _option(_RUN, "Checkpoints that stay.", min=1)] = 3,
    evaluate_every: Annotated[int, _option(_RUN, "Rounds from one to the next.", min=1)] = 1,
) -> None:
    """Train a model with federated averaging over the secure sum, in simulation.

    Interrupted at any moment, the same command goes on from the last checkpoint and ends with the
    same weights.
    """
    console = Console()
    with console.status("starting TensorFlow"):
        _start(workers)
        from fl.rundir import RunDir
        from fl.settings import Settings, Simulation
        from fl.training import Training

    settings = Settings(
        dataset=dataset,
        data_dir=None if data_dir is None else str(data_dir),
        partition=partition,
        clients=clients,
        alpha=alpha,
        shards=shards,
        model=model,
        algorithm=algorithm,
        clients_per_round=clients_per_round,
        over_selection=over_selection,
        conditions=tuple(require or ()),
        min_examples=min_examples,
        dropout=dropout,
        client_lr=client_lr,
        server_lr=server_lr,
        proximal_strength=proximal_strength,
        batch_size=batch_size,
        epochs=epochs,
        shuffle=shuffle,
        initial=initial,
        aggregator=aggregator,
        clip=clip,
        max_weight=max_weight,
        clip_norm=clip_norm,
        clip_quantile=clip_quantile,
        threshold=threshold,
        seed=seed,
    )
    directory = RunDir(run_dir or default_run_dir(settings), settings.as_json(), keep)
    bars = Bars(console)
    with masking_pool(workers) as pool, bars.progress, warnings.catch_warnings():
        warnings.simplefilter("ignore", SumWarning)  # the rows say it
        training = Training(
            settings,
            directory,
            rounds=rounds,
            workers=workers,
            checkpoint_every=checkpoint_every,
            evaluate_every=evaluate_every,
            on_client=bars.trained,
            simulation=Simulation(pool, bars.summed),
        )
        done = training.state.round
        _announce(console, training, directory.path, rounds)
        if done < rounds:
            _play(console, bars.progress, training, rounds)
        failure = directory.failure()
        if failure is not None:
            raise AggregationError(f"no round succeeded: {failure}")
        saved = training.save_model()
        if done < rounds:
            console.print(f"saved {saved}", highlight=False, soft_wrap=True)


def evaluate(
    model: Annotated[Path, _option(_DATA, "A .keras file, for example RUN/model.keras.")],
    dataset: DataSet = "digits",
    data_dir: DataDir = None,
    clients: Clients = None,
    aggregator: Aggregator = "secure",
    seed: Seed = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Evaluate a model on the test examples: each client its own, the metrics summed securely."""
    console = Console()
    with console.status("starting TensorFlow"):
        _start()
        from fl.settings import Simulation
        from fl.training import evaluate_model

    bars = Bars(console)
    with bars.progress:
        metrics = evaluate_model(
            model,
            dataset,
            data_dir,
            clients=clients,
            aggregator=aggregator,
            seed=seed,
            on_client=bars.trained,
            simulation=Simulation(progress=bars.summed),
        )
    if as_json:
        print(json.dumps(metrics))
        return
    seen = metrics["aggregator"]
    for name, value in metrics["client_work"]["eval"].items():
        console.print(f"{name:14}{number(value)}", highlight=False)
    console.print(
        f"{seen['kind']} sum over {len(seen['survivors'])} clients, "
        f"{seen['bytes_up'] / 1000:.1f} kB up each",
        highlight=False,
    )


def default_run_dir(settings: Settings) -> Path:
    """A directory of its own for every choice of settings."""
    told = json.dumps(settings.as_json(), sort_keys=True).encode()
    model = Path(settings.model).stem
    name = f"{settings.dataset}-{model}-{settings.algorithm}-{hashlib.sha256(told).hexdigest()[:8]}"
    return Path("runs") / name


def _announce(console: Console, training: Training, path: Path, rounds: int) -> None:
    found = training.found
    console.print(
        f"{training.clients} clients, {training.parameters} weights, {path}",
        highlight=False,
        soft_wrap=True,
    )
    for name in found.damaged if found else ():
        console.print(f"checkpoint {name} is damaged: the one before it is used", highlight=False)
    if found and found.round >= rounds:
        console.print(f"already has {found.round} rounds", highlight=False)
    elif found:
        console.print(f"going on after round {found.round}", highlight=False)


def _play(console: Console, bars: Progress, training: Training, rounds: int) -> None:
    console.print(HEAD, style="bold", highlight=False, soft_wrap=True)
    task = bars.add_task("rounds", total=rounds, completed=training.state.round)
    try:
        for metrics in training:
            console.print(line(metrics), highlight=False, soft_wrap=True)
            bars.update(task, completed=metrics["round"])
    except KeyboardInterrupt:
        done = training.state.round
        console.print(f"interrupted in round {done + 1}: the same command goes on", highlight=False)
        raise


def _start(workers: int = 1) -> None:
    quiet.import_tensorflow()
    from fl.parallel import one_thread_each

    try:
        one_thread_each(workers)
    except RuntimeError as error:
        # The command is run by a program that has used TensorFlow: it keeps that program's threads.
        if "after initialization" not in str(error):
            raise FLError(str(error)) from error
