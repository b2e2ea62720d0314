"""Four Flower apps that train the same model on the same data: run by `benchmarks.over_flower`.

`task` is the model and the data, `counted` a grid that counts; `ours` is `fl.flower`, with a secure
sum or one in the clear; `fedavg` and `secaggplus` are Flower's own.
"""
