"""Runs as `fl train` leaves them, without a training."""

import json

import numpy as np

from fl.aggregators.observed import Observed
from fl.experiment.seen import seen_of


def line(number, kind="secure", accuracy=0.5, dropped=(), **changes):
    """One round of five clients. dropped: (position, protocol round) of each that is lost."""
    gone = [{"client": u, "round": r, "reason": "dropout"} for u, r in dropped]
    summed = {
        "kind": kind,
        "clients": [0, 1, 2, 3, 4],
        "survivors": [u for u in range(5) if dict(dropped).get(u, 5) > 2],
        "dropped": gone,
        "threshold": 4,
        "clipped": 0,
        "clipped_fraction": 0.0,
        "error_bound": 1e-6,
        "bad_weights": 0,
        "bytes_up": 5000,
        "bytes_down": 1000,
        "without_examples": 0,
        "malformed": 0,
        "non_finite": {"update": 0},
    }
    if kind == "secure":
        summed["phases"] = [
            {"bytes_up": 1000, "bytes_down": 200, "seconds": 0.01 * (i + 1)} for i in range(5)
        ]
    return {
        "round": number,
        "client_work": {"train": {"loss": 2.0 / number, "accuracy": accuracy}},
        "aggregator": summed,
        "finalizer": {"update_norm": 1.0, "update_non_finite": 0},
        "seconds": {"train": 0.5, "protocol": 0.15, "round": 0.75},
        "selection": {"cohort": ["ann", "bob", "cyd", "dan", "eve"], "asked": 5, "eligible": 5},
        "eval": {"loss": 1.5 / number, "accuracy": accuracy},
        **changes,
    }


def failed(number):
    """A round that gave nothing."""
    return {"round": number, "failed": "3 clients finished", "seconds": {"round": 0.1}}


def write_run(folder, rounds, seen=False, **settings):
    """The directory of a run with these rounds and settings."""
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps({"algorithm": "fedavg", **settings}))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rounds))
    if seen:
        (folder / "seen.json").write_text(json.dumps(seen_of(observed(), 1, "ann")))
    return folder


def observed():
    """What is seen of a client with a thousand coordinates."""
    rng = np.random.default_rng(0)
    update = rng.normal(size=1000).astype(np.float32)
    masked = rng.integers(0, 2**32, 1000, dtype=np.uint32)
    return Observed(0, 32, update, masked, update.astype(np.float64) / 5)
