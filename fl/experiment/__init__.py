"""A whole training: its settings, its run directory, and where it goes on after a stop.

    >>> process = fl.build_weighted_fed_avg(model_fn)
    >>> checkpoints = fl.experiment.Checkpoints(tmp_path / "checkpoints")
    >>> path = checkpoints.save(process.initialize(), 0)
    >>> checkpoints.latest(process.initialize()).state
    ServerState(round=0, ...)

Modules: `settings` and `training` are the run, `registry`, `model_zoo` and `names` what settings
may name, `run_directory`, `checkpoint` and `events` what it leaves.  May be imported from it:
what is in `__all__`, and the rest by the command.  It may use everything but `cli`.
"""

from fl.experiment.checkpoint import Checkpoints

__all__ = ["Checkpoints"]
