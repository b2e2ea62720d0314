"""Rows about optimizers: every one of Keras on the client, and the papers' on the server."""

from functools import partial

import keras

import fl
from tests.fl.equal.row import Row
from tests.fl.equal.rows_numbers import SOFTMAX, classes, dense, net

optimizers = keras.optimizers
schedules = optimizers.schedules
MODEL = net(dense(6, "tanh", name="hidden"), dense(3, name="logits"), **SOFTMAX)

ALONE = [
    name
    for name in dir(optimizers)
    if isinstance(getattr(optimizers, name), type)
    and issubclass(getattr(optimizers, name), optimizers.Optimizer)
    and name not in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer")
]


def without_bias():
    optimizer = optimizers.AdamW(0.01, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def by_layer():
    return optimizers.MultiOptimizer(
        optimizers.OptimizerMap(optimizers.SGD(0.01), {".*logits.*": optimizers.SGD(0.1)})
    )


def client(make, **options):
    return Row(MODEL, classes, optimizer=make, evaluate=False, **options)


def server(make, **options):
    given = {"fit": False, "evaluate": False, "rounds": 3, "server_gain": 2.0, **options}
    return Row(MODEL, classes, server=make, **given)


# Divided by the root of its square, a gradient that is nearly zero has few digits.
ADAPTIVE = {"rtol": 1e-3, "atol": 2e-5}

OPTIMIZERS = {
    **{f"client: {n}": client(partial(getattr(optimizers, n), 0.01), **ADAPTIVE) for n in ALONE},
    "client: ScheduleFreeAdamW": client(
        optimizers.ScheduleFreeAdamW, refused="begins with a copy of the weights"
    ),
    "client: decay but of biases": client(without_bias, **ADAPTIVE),
    "client: by layer": client(by_layer),
    "client: loss scale": client(lambda: optimizers.LossScaleOptimizer(optimizers.SGD(0.1))),
    "client: momentum": client(lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True)),
    "client: clipped": client(lambda: optimizers.SGD(0.5, global_clipnorm=0.1)),
    "client: schedule": client(lambda: optimizers.SGD(schedules.ExponentialDecay(0.2, 1, 0.5))),
    "client: accumulation": client(lambda: optimizers.SGD(0.1, gradient_accumulation_steps=2)),
    "client: average": client(lambda: optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)),
    "client: average, every 2": client(
        lambda: optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2),
    ),
    "unweighted": client(optimizers.SGD, builder=fl.build_unweighted_fed_avg),
    "FedProx, of no strength": client(
        optimizers.Adam,
        builder=fl.build_weighted_fed_prox,
        options={"proximal_strength": 0.0},
        **ADAPTIVE,
    ),
    "FedProx": client(
        lambda: optimizers.SGD(0.1),
        builder=fl.build_weighted_fed_prox,
        options={"proximal_strength": 1.0},
        fit=False,
    ),
    "server: FedAvgM": server(lambda: optimizers.SGD(1.0, momentum=0.9), fast=True),
    # η / τ, and the rounding of the square
    "server: FedAdagrad": server(fl.FedAdagrad, server_gain=200.0),
    "server: FedAdam": server(fl.FedAdam, server_gain=20.0),
    "server: FedYogi": server(fl.FedYogi, server_gain=20.0),
    "server: Keras's Adam": server(lambda: optimizers.Adam(0.01, epsilon=1e-3), server_gain=20.0),
    "server: accumulation": server(lambda: optimizers.SGD(1.0, gradient_accumulation_steps=2)),
    "server: average, every 2": server(
        lambda: optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)
    ),
    "server: average": server(
        lambda: optimizers.SGD(1.0, use_ema=True), refused="ema_overwrite_frequency in rounds"
    ),
    "server: loss scale": server(
        lambda: optimizers.LossScaleOptimizer(optimizers.SGD(1.0)), refused="loss scale"
    ),
}
