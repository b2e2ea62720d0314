"""The algorithms: one file each, to be read beside its paper.

Rooms: `fedavg` (McMahan et al. 2017), `fedprox` (Li et al. 2020), `fedsgd` with `mean_loss`, what
its loss must be, `adaptive` (Reddi et al. 2021) and `kmeans` (Lloyd 1982), whose rounds are in
`kmeans_process`; `building` is what builders share.  A new one is a builder here, an export in
`fl`, and a line in `fl.experiment.registry`.  It uses `process` and below.
"""
