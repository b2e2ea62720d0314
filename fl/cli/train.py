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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from fl.cli.rows import head, line, number
from fl.cli.screen import Screen, screen
from fl.data import catalogue
from fl.data.federated import DEFAULT_RULE, PARTITIONS, check_rule
from fl.errors import FLError, RunFailed, SumWarning
from fl.experiment import names, registry
from fl.population.devices import CONDITIONS, check_conditions
from secagg.cli.command import ENDING
from secagg.simulation.pool import kill, masking_pool

if TYPE_CHECKING:
    from fl.experiment.run_directory import RunDir
    from fl.experiment.settings import Settings
    from fl.experiment.training import Training

_DATA = "What to train on"
_ROUND = "A round"
_RUN = "The run"


def _above_zero(value: float | None) -> float | None:
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value} is not a finite number above 0")
    return value


def _option(panel: str, text: str, names: Sequence[str] = (), **limits: Any) -> Any:
    """An option, of which a shell completes the names."""
    complete = (lambda: list(names)) if names else None
    return typer.Option(help=text, rich_help_panel=panel, autocompletion=complete, **limits)


DataSet = Annotated[
    str,
    _option(
        _DATA,
        f"The data set: {', '.join(catalogue.NAMES)}, or a name of tensorflow_datasets.",
        catalogue.NAMES,
        callback=catalogue.check_name,
    ),
]
DataDir = Annotated[
    Path | None, _option(_DATA, "The directory of its files; without it they are downloaded.")
]
Clients = Annotated[
    int | None,
    _option(_DATA, "How many clients there are; by default all of the data set, or 10.", min=1),
]
TrainClients = Annotated[
    int | None,
    _option(_DATA, "How many clients there are; by default all of the data set, or 10.", min=2),
]
Seed = Annotated[
    int, _option(_RUN, "The seed from which everything follows but the cryptographic keys.", min=0)
]
Aggregator = Annotated[
    str,
    _option(
        _ROUND, "How updates are summed: secure or plain.", names.SUMS, callback=names.check_sum
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print the result as one line of JSON, and nothing else."),
]


def train(
    dataset: DataSet = "digits",
    data_dir: DataDir = None,
    partition: Annotated[
        str | None,
        _option(
            _DATA,
            "How the examples are divided: iid, sequential, dirichlet, shards, or writer (mnist "
            "alone); by default the data set's own clients, or iid.",
            PARTITIONS,
        ),
    ] = None,
    clients: TrainClients = None,
    alpha: Annotated[
        float,
        _option(
            _DATA,
            "With dirichlet: the smaller it is, the more unlike are the clients.",
            callback=_above_zero,
        ),
    ] = 0.5,
    shards: Annotated[
        int, _option(_DATA, "With shards: how many of them each client has.", min=1)
    ] = 2,
    model: Annotated[
        str,
        _option(
            _DATA,
            "The model: softmax, mlp, cnn, lstm (shakespeare alone), or a .keras file.",
            names.NAMES,
            callback=names.check_model,
        ),
    ] = "mlp",
    algorithm: Annotated[
        str,
        _option(
            _ROUND,
            f"The algorithm: {', '.join(registry.ALGORITHMS)}.",
            tuple(registry.ALGORITHMS),
            callback=registry.check_name,
        ),
    ] = "fedavg",
    clients_per_round: Annotated[
        int, _option(_ROUND, "How many clients are summed in a round.", min=2)
    ] = 10,
    over_selection: Annotated[
        float,
        _option(
            _ROUND,
            "How many clients are asked, for each that is summed: 1.3 asks 130 % and takes the "
            "first to be ready.",
            min=1,
        ),
    ] = 1.0,
    require: Annotated[
        list[str] | None,
        _option(
            _ROUND,
            "What a client's device must be: charging, unmetered or idle; may be repeated.",
            tuple(CONDITIONS),
        ),
    ] = None,
    min_examples: Annotated[
        int, _option(_ROUND, "How many examples a client must have to take part.", min=0)
    ] = 0,
    dropout: Annotated[
        float,
        _option(
            _ROUND, "The probability with which a client is lost in the protocol.", min=0, max=1
        ),
    ] = 0.0,
    client_lr: Annotated[
        float, _option(_ROUND, "The learning rate of the clients.", callback=_above_zero)
    ] = 0.1,
    server_lr: Annotated[
        float | None,
        _option(
            _ROUND,
            "The learning rate of the server; by default that of the algorithm.",
            callback=_above_zero,
        ),
    ] = None,
    proximal_strength: Annotated[
        float,
        _option(_ROUND, "With fedprox: how strongly clients are drawn back, its µ.", min=0),
    ] = 0.01,
    batch_size: Annotated[
        int, _option(_ROUND, "How many examples a client's step takes.", min=1)
    ] = 20,
    epochs: Annotated[
        int, _option(_ROUND, "How many times a client goes through its examples.", min=1)
    ] = 1,
    shuffle: Annotated[
        bool, _option(_ROUND, "Whether clients shuffle their examples in every pass.")
    ] = True,
    initial: Annotated[
        str, _option(_ROUND, "The first weights: random, or zeros (softmax only).")
    ] = "random",
    aggregator: Aggregator = "secure",
    clip: Annotated[
        float | None,
        _option(
            _ROUND,
            "The largest coordinate of an update in a secure sum; by default 4, and with fedsgd "
            "any.",
            callback=_above_zero,
        ),
    ] = None,
    max_weight: Annotated[
        int,
        _option(
            _ROUND,
            "The most examples that a client may have in a secure sum; one with more counts for "
            "nothing.",
            min=1,
        ),
    ] = 16384,
    clip_norm: Annotated[
        float | None,
        _option(_ROUND, "The largest norm of an update; by default any.", callback=_above_zero),
    ] = None,
    clip_quantile: Annotated[
        float | None,
        _option(
            _ROUND, "Let the largest norm follow this quantile of the clients' norms.", min=0, max=1
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        _option(
            _ROUND,
            "The fraction of the clients that must finish; by default more than two thirds.",
            min=0,
            max=1,
        ),
    ] = None,
    rounds: Annotated[
        int, _option(_RUN, "How many rounds the run has in all, those before included.", min=1)
    ] = 20,
    seed: Seed = 0,
    run_dir: Annotated[
        Path | None,
        _option(_RUN, "The directory for the results; by default one under runs/ per settings."),
    ] = None,
    workers: Annotated[
        int, _option(_RUN, "How many clients are trained, and then masked, at a time.", min=1)
    ] = 1,
    checkpoint_every: Annotated[
        int, _option(_RUN, "How many rounds are from one checkpoint to the next.", min=1)
    ] = 1,
    keep: Annotated[int, _option(_RUN, "How many checkpoints are kept.", min=1)] = 3,
    evaluate_every: Annotated[
        int, _option(_RUN, "How many rounds are from one evaluation to the next.", min=1)
    ] = 1,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print nothing but what goes wrong.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a model with federated averaging over the secure sum, in simulation.

    Interrupted at any moment, the same command goes on from the last checkpoint and ends with the
    same weights.
    """
    check_rule(partition or DEFAULT_RULE, dataset)
    check_conditions(require or ())
    with screen(as_json=as_json, silent=quiet) as shown:
        with shown.starting():
            _use_threads(workers)
            from fl.experiment.run_directory import RunDir
            from fl.experiment.settings import Settings

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
        shown.result = _train(
            shown,
            settings,
            directory,
            rounds=rounds,
            workers=workers,
            checkpoint_every=checkpoint_every,
            evaluate_every=evaluate_every,
        )


def evaluate(
    model: Annotated[
        Path,
        _option(
            _DATA, "The model: a .keras file, such as RUN/model.keras.", callback=names.check_file
        ),
    ],
    dataset: DataSet = "digits",
    data_dir: DataDir = None,
    clients: Clients = None,
    aggregator: Aggregator = "secure",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Evaluate a model on the test examples: each client its own, the metrics summed securely."""
    with screen(as_json=as_json) as shown:
        with shown.starting():
            _use_threads()
            from fl.experiment.settings import Simulation
            from fl.experiment.training import evaluate_model

        with shown.bars() as bars:
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
        shown.result = metrics
        shown.say(*_told(metrics))


def _told(metrics: Mapping[str, Any]) -> Iterator[str]:
    """The lines of an evaluation."""
    tested, seen = metrics["client_work"]["eval"], metrics["aggregator"]
    width = max(map(len, tested))
    for name, value in tested.items():
        yield f"{name:{width}}  {number(value)}"
    yield f"{seen['kind']} sum over {len(seen['survivors'])} clients"
    yield f"{seen['bytes_up'] / 1000:.1f} kB up each"


def default_run_dir(settings: Settings) -> Path:
    """A directory of its own for every choice of settings."""
    told = json.dumps(settings.as_json(), sort_keys=True).encode()
    model = Path(settings.model).stem
    name = f"{settings.dataset}-{model}-{settings.algorithm}-{hashlib.sha256(told).hexdigest()[:8]}"
    return Path("runs") / name


def _train(
    shown: Screen,
    settings: Settings,
    directory: RunDir,
    *,
    rounds: int,
    workers: int,
    **every: int,
) -> dict[str, Any]:
    """Train until so many rounds are done; what is told of it as JSON."""
    from fl.experiment.settings import Simulation
    from fl.experiment.training import Training

    with masking_pool(workers) as pool, shown.bars() as bars, warnings.catch_warnings():
        ENDING.tidy.append(lambda: kill(pool))
        warnings.simplefilter("ignore", SumWarning)  # the rows say it
        training = Training(
            settings,
            directory,
            rounds=rounds,
            workers=workers,
            on_client=bars.trained,
            simulation=Simulation(pool, bars.summed),
            **every,
        )
        done = training.state.round
        _announce(shown, training, directory.path, rounds)
        tested = _play(shown, bars.progress, training, rounds) if done < rounds else None
        failure = directory.failure()
        if failure is not None:
            raise RunFailed(f"no round succeeded: {failure}")
        saved = training.save_model()
        if done < rounds:
            shown.say(f"saved {saved}")
        return {
            "rounds": training.state.round,
            "new_rounds": training.state.round - done,
            "clients": training.clients,
            "weights": training.parameters,
            "test": tested or training.evaluate(),
            "run_dir": str(directory.path),
            "model": str(saved),
        }


def _announce(shown: Screen, training: Training, path: Path, rounds: int) -> None:
    found = training.found
    shown.say(f"{training.clients} clients, {training.parameters} weights, {path}")
    for name in found.damaged if found else ():
        shown.say(f"checkpoint {name} is damaged: the one before it is used")
    if found and found.round >= rounds:
        shown.say(f"already has {found.round} rounds")
    elif found:
        shown.say(f"going on after round {found.round}")


def _play(shown: Screen, bars: Progress, training: Training, rounds: int) -> dict[str, Any] | None:
    """Train the rounds that are left; what the last of them says of the test examples."""
    shown.say(head(shown.room), style="bold")
    task = bars.add_task("rounds", total=rounds, completed=training.state.round)
    tested = None
    _say_where(training)
    for metrics in training:
        shown.say(line(metrics, shown.room))
        bars.update(task, completed=metrics["round"])
        tested = metrics.get("eval")
        _say_where(training)
    return tested


def _say_where(training: Training) -> None:
    ENDING.where = f" after round {training.state.round}: the same command goes on"


def _use_threads(workers: int = 1) -> None:
    from fl.client.trainer_pool import one_thread_each

    try:
        one_thread_each(workers)
    except RuntimeError as error:
        # The command is run by a program that has used TensorFlow: it keeps that program's threads.
        if "after initialization" not in str(error):
            raise FLError(str(error)) from error
