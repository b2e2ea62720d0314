"""The algorithms: one file each, to be read beside its paper.

Modules: `fedavg` (McMahan et al. 2017), `fedprox` (Li et al. 2020), `fedsgd` with `mean_loss`,
what its loss must be, `adaptive` (Reddi et al. 2021), and `kmeans` (Lloyd 1982) with its
mathematics and both halves, whose builder and process are in `kmeans_process`; `building` is what
builders share.  May be imported from it: the builders, which `fl` exports.

A new algorithm is a builder here and an export in `fl/__init__.pyi`; for the command a line in
`fl.experiment.registry`, and for an argument of its own a field of `fl.experiment.settings` and an
entry in `process_of` of `fl.experiment.assembly`.

It uses `aggregators`, `client`, `data`, `errors`, `model`, `plan`, `process`, `round_message`,
`seeds` and `tff`.
"""

from fl import tff


def __getattr__(name: str) -> object:
    raise tff.missing("module 'fl.algorithms'", name, tff.ALGORITHMS)
