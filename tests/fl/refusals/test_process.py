"""Each refusal of states and of server optimizers is removed, and something wrong goes on."""

import warnings
from dataclasses import replace

import keras
import numpy as np
import pytest

import fl
from fl import plan
from fl.plan import Terms
from fl.process import server_optimizer
from tests.helpers.breaks import Attacks
from tests.helpers.implausible import contributions, session
from tests.helpers.refusals import wrong
from tests.helpers.removed import FL_ROOMS
from tests.helpers.small import arrays, linear

attacks = Attacks(*FL_ROOMS["process"])
breaks = attacks.breaks
pytestmark = pytest.mark.filterwarnings("ignore")


def stepped(**options):
    return lambda: server_optimizer.ServerOptimizer(
        lambda: keras.optimizers.SGD(1.0, **options), linear()
    )


def excluding():
    def make():
        optimizer = keras.optimizers.AdamW(0.1)
        optimizer.exclude_from_weight_decay(var_list=linear().trainable_variables)
        return optimizer

    return server_optimizer.ServerOptimizer(make, linear())


def overwritten():
    model = linear()
    model.trainable_variables[0].overwrite_with_gradient = True
    return server_optimizer.ServerOptimizer(lambda: keras.optimizers.SGD(1.0), model)


def another_state(use):
    def give():
        process = fl.build_weighted_fed_avg(linear, aggregator=fl.PlainSum())
        state = process.initialize()
        other = replace(state, optimizer=(*state.optimizer, np.zeros(3, np.float32)))
        return use(process, other)

    return give


GOOD, NONE, BAD = arrays(6), (np.zeros((0, 4), np.float32), np.zeros(0, int)), "no examples"


def rows_of(*data):
    """A round over clients with these data."""

    def play():
        process = fl.build_weighted_fed_avg(linear, aggregator=fl.PlainSum())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return process.next(process.initialize(), list(data))

    return play


def submitted():
    """To a sum that is not weighted, what the message says is."""
    half = fl.build_weighted_fed_avg(linear).client_half
    terms = Terms(0, 0, 8, 1, True, True, "{}")
    received = half.read(plan.write(terms, np.zeros(3, np.float32)))
    shape = session(weighted=False).shape_of(contributions())
    return half.submit(received, 0, contributions()[0], shape)


breaks("fl.process.server_optimizer.ServerOptimizer.apply", "self.check(state)")(
    wrong(
        "server optimizer variables",
        another_state(lambda process, state: process._server.apply(state, np.zeros(10))),
    )
)
breaks("fl.process.server_optimizer.ServerOptimizer.check", "not isinstance(state, ServerState)")(
    wrong(
        "expected a ServerState",
        lambda: server_optimizer.ServerOptimizer(lambda: keras.optimizers.SGD(1.0), linear()).check(
            3
        ),
    )
)
breaks("fl.process.server_optimizer.ServerOptimizer._built", "_check(optimizer, self._variables)")(
    wrong("use_ema", stepped(use_ema=True))
)
breaks(
    "fl.process.server_optimizer._check", "isinstance(each, keras.optimizers.LossScaleOptimizer)"
)(
    wrong(
        "a loss scale",
        lambda: server_optimizer.ServerOptimizer(
            lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0)), linear()
        ),
    )
)
breaks("fl.process.server_optimizer._check", "each.loss_scale_factor")(
    wrong("a loss scale", stepped(loss_scale_factor=2.0))
)
breaks("fl.process.server_optimizer._check", "each.use_ema and (not each.ema_overwrite_frequency)")(
    wrong("use_ema", stepped(use_ema=True))
)
breaks(
    "fl.process.server_optimizer._check",
    "not excluded <= {each._var_key(variable) for variable in variables}",
)(wrong("variables of another model", excluding))
breaks("fl.process.server_optimizer._check", "getattr(variable, 'overwrite_with_gradient', False)")(
    wrong("overwritten with its gradient", overwritten)
)
breaks("fl.process.federated_process.FederatedProcess.next", "self._server.check(state)")(
    wrong(
        "expected a ServerState",
        another_state(lambda process, state: process.next(3, [GOOD, GOOD])),
    )
)
breaks("fl.process.federated_process.FederatedProcess.get_model", "self._server.check(state)")(
    wrong(
        "server optimizer variables", another_state(lambda process, state: process.get_model(state))
    )
)
breaks("fl.process.simulation._judged", "wrong and len(wrong) >= given")(
    wrong("client 1", rows_of(GOOD, BAD, BAD))
)
breaks("fl.process.simulation._judged", "not given")(
    wrong("none of 2 clients", rows_of(NONE, NONE))
)

breaks("fl.process.client_half.ClientHalf.submit", "shape.weighted != received.weighted")(
    wrong("a sum with weighted=False", submitted)
)

test_every_refusal_is_here, test_it_goes_on_if_and_only_if_the_refusal_is_gone = attacks.tests()
