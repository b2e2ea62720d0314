"""A whole training: its settings, its run directory, and where it goes on after a stop.

    >>> process = fl.build_weighted_fed_avg(model_fn)
    >>> checkpoints = fl.experiment.Checkpoints(tmp_path / "checkpoints")
    >>> path = checkpoints.save(process.initialize(), 0)
    >>> checkpoints.latest(process.initialize()).state
    ServerState(round=0, ...)
    >>> events = fl.experiment.Events(tmp_path / "events")  # for TensorBoard: events.write(metrics)

Modules: `settings` are those of a training, each field an option of the command (`options`), with
`round_settings` of what clients do and `sum_settings` of how it is summed, and `registry`,
`model_zoo` and `names` what they may name; `assembly` makes objects of the settings, `noise` says
how much of it a budget of privacy asks for, `training` runs, and `private_rounds` are its rounds
with a budget; `run_directory`, `run_files`, `checkpoint`, `events` and `privacy_account` are what a
run leaves, `metrics` the types of what it reports, `seen` what the server saw of a client.  May be
imported from it: what is in `__all__`, and the rest by `report` and the command.  It may use
everything but `cli`, `flower` and `report`.
"""

from typing import TYPE_CHECKING

from fl.experiment.checkpoint import Checkpoints

if TYPE_CHECKING:
    from fl.experiment.events import Events as Events

__all__ = ["Checkpoints", "Events"]


def __getattr__(name: str) -> object:
    if name != "Events":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fl.experiment.events import Events  # imports TensorFlow, which `fl train --help` does not

    return Events
