"""Each refusal between a client and a sum is removed in turn, and then something wrong goes on.

`WRONG` names every check that `removed.checks` finds in the modules through which numbers pass on
their way into a sum and out of it, and does what it refuses.  With the check it is the typed error
that says so, or None where that means "not known"; without it, anything else.
"""

import re
import warnings
from dataclasses import replace

import keras
import numpy as np
import pytest

import fl
from fl import plan
from fl.aggregators import interface, observed, thresholds
from fl.aggregators.clipping import AdaptiveNorm, ByNorm
from fl.aggregators.contribution import Contribution
from fl.aggregators.secure import SecureSum
from fl.data import masked, reals
from fl.model import layout
from fl.model.vector import ModelWeights
from fl.plan import Terms
from fl.process import server_optimizer
from secagg import wire
from secagg.errors import SecAggError
from secagg.messages import Survivors
from tests.attacks.removed import checks, remove
from tests.fl.aggregators.test_implausible import LIES, contributions, lies, session
from tests.helpers.small import arrays, linear

MODULES = (
    *(
        "fl.plan",
        "fl.round_message",
        "fl.aggregators.contribution",
        "fl.aggregators.interface",
        "fl.aggregators.totals",
        "fl.aggregators.plain",
        "fl.aggregators.secure",
        "fl.aggregators.thresholds",
        "fl.aggregators.observed",
        "fl.aggregators.encoding",
        "fl.aggregators.decoding",
        "fl.aggregators.clipping",
    ),
    *(
        "fl.model.vector",
        "fl.model.layout",
        "fl.process.server_optimizer",
        "fl.process.federated_process",
        "fl.process.client_half",
        "fl.process.simulation",
        "fl.data.masked",
        "fl.data.reals",
    ),
)
TERMS = Terms(0, 0, 8, 1, True, True, "{}")
NOT_KNOWN = None
UNTYPED = (
    *(TypeError, ValueError, AttributeError, IndexError, OverflowError, ZeroDivisionError),
    StopIteration,
)


def told(**changes):
    return lambda: replace(TERMS, **changes)


def message(change):
    return lambda: plan.read(change(plan.write(TERMS, np.zeros(3, np.float32))))


def given(weight):
    return lambda: Contribution(np.zeros(1, np.float32), weight, np.zeros(0))


def summing(aggregator, **changes):
    return lambda: aggregator().aggregate(contributions(), session(**changes))


def lie(name):
    """What a client tells in test_implausible."""

    def tell():
        vector, word, value, _ = LIES[name]
        with pytest.MonkeyPatch.context() as patch:
            lies(patch, vector, word, value)
            return SecureSum().aggregate(contributions(), session())

    return tell


def a_sum_beyond_the_norm():
    with pytest.MonkeyPatch.context() as patch:
        lies(patch, "update", 0, 2**16)
        return ByNorm(SecureSum(), 0.01).aggregate(contributions(), session())


def clipped_bound():
    return SecureSum(clip=0.1).aggregate(contributions(), session()).error_bound


def adaptive(*state):
    return lambda: AdaptiveNorm(SecureSum()).norm(state)


def frozen(*names):
    """A model of two layers of the same shape, some of them frozen; its weights."""
    layers = [keras.layers.Dense(2, name=name, trainable=name not in names) for name in "ab"]
    return ModelWeights.from_model(keras.Sequential([keras.Input((2,)), *layers]))


def doubles():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, dtype="float64")])


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
    received = half.read(plan.write(TERMS, np.zeros(3, np.float32)))
    shape = session(weighted=False).shape_of(contributions())
    return half.submit(received, 0, contributions()[0], shape)


GOOD, NONE, BAD = arrays(6), (np.zeros((0, 4), np.float32), np.zeros(0, int)), "no examples"
WRONG = {
    "fl.model.vector.ModelWeights.__post_init__: self.order and sorted(self.order) != numbers": (
        "order",
        lambda: replace(frozen(), order=(0, 1, 2, 2)),
    ),
    "fl.model.vector.ModelWeights.check_like: len(other.order) == len(self.order) and trained != "
    "expected": ("the others frozen", lambda: frozen("a").check_like(frozen("b")) or "taken"),
    "fl.model.vector.ModelWeights.split: start != vector.size": (
        "a vector of length 99",
        lambda: frozen().split(np.zeros(99)),
    ),
    "fl.model.vector._check_type: not isinstance(weights, ModelWeights)": (
        "expected ModelWeights",
        lambda: frozen().check_like(3),
    ),
    "fl.model.vector.aggregated_variables: not trainable": (
        "no trainable weights",
        lambda: ModelWeights.from_model(keras.Sequential([keras.Input((2,))])),
    ),
    "fl.model.vector.aggregated_variables: variable.dtype not in _AGGREGATED_DTYPES": (
        "is float64",
        lambda: ModelWeights.from_model(doubles()),
    ),
    "fl.model.vector.check_shapes: seen != expected": (
        "of shapes",
        lambda: frozen().check_like(ModelWeights.from_model(linear())) or "taken",
    ),
    "fl.model.layout.Layout.of: non_trainable not in get_args(NonTrainable)": (
        "non_trainable is 'mean'",
        lambda: layout.Layout.of(linear(), "mean"),
    ),
    "fl.process.server_optimizer.ServerOptimizer.apply: self.check(state)": (
        "server optimizer variables",
        another_state(lambda process, state: process._server.apply(state, np.zeros(10))),
    ),
    "fl.process.server_optimizer.ServerOptimizer.check: not isinstance(state, ServerState)": (
        "expected a ServerState",
        lambda: server_optimizer.ServerOptimizer(lambda: keras.optimizers.SGD(1.0), linear()).check(
            3
        ),
    ),
    "fl.process.server_optimizer.ServerOptimizer._built: _check(optimizer, self._variables)": (
        "use_ema",
        stepped(use_ema=True),
    ),
    "fl.process.server_optimizer._check: isinstance(each, keras.optimizers.LossScaleOptimizer)": (
        "a loss scale",
        lambda: server_optimizer.ServerOptimizer(
            lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0)), linear()
        ),
    ),
    "fl.process.server_optimizer._check: each.loss_scale_factor": (
        "a loss scale",
        stepped(loss_scale_factor=2.0),
    ),
    "fl.process.server_optimizer._check: each.use_ema and (not each.ema_overwrite_frequency)": (
        "use_ema",
        stepped(use_ema=True),
    ),
    "fl.process.server_optimizer._check: not excluded <= {each._var_key(variable) for variable in variables}": (
        "variables of another model",
        excluding,
    ),
    "fl.process.server_optimizer._check: getattr(variable, 'overwrite_with_gradient', False)": (
        "overwritten with its gradient",
        overwritten,
    ),
    "fl.process.federated_process.FederatedProcess.next: self._server.check(state)": (
        "expected a ServerState",
        another_state(lambda process, state: process.next(3, [GOOD, GOOD])),
    ),
    "fl.process.federated_process.FederatedProcess.get_model: self._server.check(state)": (
        "server optimizer variables",
        another_state(lambda process, state: process.get_model(state)),
    ),
    "fl.process.simulation._usable: wrong and len(wrong) >= given": (
        "client 1",
        rows_of(GOOD, BAD, BAD),
    ),
    "fl.process.simulation._usable: not given": ("none of 2 clients", rows_of(NONE, NONE)),
    "fl.data.masked.refuse_masked: _masked(value)": (
        "masked values",
        lambda: masked.refuse_masked(np.ma.masked_less([1, 2], 2)) or "taken",
    ),
    "fl.data.reals.real_numbers: not np.can_cast(array.dtype, np.float64)": (
        "not an array of numbers",
        lambda: reals.real_numbers(["1", "2"]),
    ),
    "fl.data.reals.real_numbers: (exact[large] != numbers[large]).any()": (
        "integers that float64 rounds",
        lambda: reals.real_numbers([2**53 + 1]),
    ),
    "fl.plan.Terms.__post_init__: not isinstance(self.seed, int)": ("seed is", told(seed="1")),
    "fl.plan.Terms.__post_init__: self.seed < 0": ("seed is -1", told(seed=-1)),
    "fl.plan.Terms.__post_init__: rate is not None and (not 0 <= rate < math.inf)": (
        "learning_rate is",
        told(learning_rate=-0.5),
    ),
    "fl.plan.Terms.__post_init__: not isinstance(value, int)": ("epochs is", told(epochs=1.5)),
    "fl.plan.Terms.__post_init__: value < 1": ("batch_size is 0", told(batch_size=0)),
    "fl.round_message.read: not newline": (
        "and a body",
        lambda: plan.read(plan.write(TERMS, np.zeros(0, np.float32))[:-1]),
    ),
    "fl.round_message.read: received.kind != kind": (
        "expected 'training'",
        lambda: plan.read(plan.write(TERMS, np.zeros(3, np.float32), kind="evaluation")),
    ),
    "fl.round_message._check_numbers: type(value) is not kind": (
        "whose round is a str",
        message(lambda m: m.replace(b'"round": 0', b'"round": "0"')),
    ),
    "fl.round_message._check_numbers: not all(map(math.isfinite, received.announced))": (
        "that announces",
        message(lambda m: m.replace(b'"announced": []', b'"announced": [NaN]')),
    ),
    "fl.plan.weights_in: not isinstance(length, int)": (
        "bytes of weights",
        message(lambda m: m.replace(b'"length": 3', b'"length": 3.0')),
    ),
    "fl.process.client_half.ClientHalf.submit: shape.weighted != received.weighted": (
        "a sum with weighted=False",
        submitted,
    ),
    "fl.aggregators.interface.split: not isinstance(aggregator, SplitAggregator)": (
        "sums in one process alone",
        lambda: interface.split(object()) and "taken",
    ),
    "fl.aggregators.clipping.AdaptiveNorm.client_side: not announced": (
        "no norm in the round's message",
        lambda: AdaptiveNorm(SecureSum()).client_side(session().shape_of(contributions()), ()),
    ),
    "fl.plan.weights_in: len(body) != 4 * length": ("bytes of weights", message(lambda m: m[:-4])),
    "fl.aggregators.contribution.Contribution.__post_init__: not whole": ("type float", given(0.5)),
    "fl.aggregators.contribution.Contribution.__post_init__: self.weight < 0": (
        "negative",
        given(-1),
    ),
    "fl.aggregators.interface.SumShape.must_fit: contribution.sizes != expected": (
        "numbers",
        lambda: SecureSum().aggregate(
            [*contributions()[:3], Contribution(np.zeros(1, np.float32), 1, np.zeros(2))],
            session(),
        ),
    ),
    "fl.aggregators.totals.Totals.error_bound: self.clipped": (NOT_KNOWN, clipped_bound),
    "fl.aggregators.interface.check_aggregator: isinstance(aggregator, type)": (
        "is the class SecureSum",
        lambda: interface.check_aggregator(SecureSum) or "taken",
    ),
    "fl.aggregators.interface.check_aggregator: not callable(getattr(aggregator, 'aggregate', None))": (
        "an object with a method",
        lambda: interface.check_aggregator(3) or "taken",
    ),
    "fl.aggregators.interface.check_dropouts: n == 0": (
        "no clients",
        lambda: interface.check_dropouts({}, 0),
    ),
    "fl.aggregators.interface.check_dropouts: not isinstance(dropouts, Mapping)": (
        "dropouts are",
        lambda: interface.check_dropouts([1], 3),
    ),
    "fl.aggregators.interface.check_dropouts: client not in range(n)": (
        "dropouts name client 3",
        lambda: interface.check_dropouts({3: 1}, 3),
    ),
    "fl.aggregators.interface.check_dropouts: protocol_round not in range(5)": (
        "drops out in round 5",
        lambda: interface.check_dropouts({1: 5}, 3),
    ),
    "fl.aggregators.plain.PlainSum.aggregate: finished < threshold": (
        "fewer than t=3",
        summing(fl.PlainSum, dropouts={0: 1, 1: 1}),
    ),
    "fl.aggregators.secure.SecureSum.__post_init__: self.clip is not None and (not (isinstance(self.clip, "
    "SupportsFloat) and 0 < float(self.clip) < math.inf))": (
        "clip=-1",
        lambda: SecureSum(clip=-1.0),
    ),
    "fl.aggregators.secure.SecureSum.__post_init__: self.corrupt is None": (
        "without corrupt",
        lambda: SecureSum(dropout=0.1),
    ),
    "fl.aggregators.secure.SecureSum.__post_init__: self.threshold is not None": (
        "threshold and graph follow",
        lambda: SecureSum(dropout=0.1, corrupt=1, threshold=3),
    ),
    "fl.aggregators.secure.SecureSum.__post_init__: self.graph is not None": (
        "threshold and graph follow",
        lambda: SecureSum(dropout=0.1, corrupt=1, graph=4),
    ),
    "fl.aggregators.secure.SecureSum.aggregate: n < 2": (
        "one client alone",
        lambda: SecureSum().aggregate(contributions()[:1], session()),
    ),
    "fl.aggregators.observed.masked_update: not isinstance(message, MaskedInput)": (
        NOT_KNOWN,
        lambda: observed.masked_update(wire.encode(Survivors((1, 2))), 3, 32),
    ),
    "fl.aggregators.thresholds.resolve_threshold: not 1 <= t": (
        "1 to 4",
        lambda: thresholds.resolve_threshold(0, 4),
    ),
    "fl.aggregators.thresholds.resolve_threshold: not t <= n": (
        "1 to 4",
        lambda: thresholds.resolve_threshold(5, 4),
    ),
    "fl.aggregators.thresholds.check_threshold: not isinstance(threshold, float)": (
        "threshold=",
        lambda: SecureSum(threshold="half"),
    ),
    "fl.aggregators.thresholds.check_threshold: not 0 < threshold": (
        "threshold=",
        lambda: SecureSum(threshold=-0.5),
    ),
    "fl.aggregators.thresholds.check_threshold: not threshold <= 1": (
        "threshold=",
        lambda: SecureSum(threshold=1.5),
    ),
    "fl.aggregators.secure._check_range: not isinstance(value, int)": (
        "bits=",
        lambda: SecureSum(bits=16.0),
    ),
    "fl.aggregators.secure._check_range: not low <= value": ("bits=1", lambda: SecureSum(bits=1)),
    "fl.aggregators.secure._check_range: not value <= high": (
        "bits=65",
        lambda: SecureSum(bits=65),
    ),
    "fl.aggregators.clipping.AdaptiveNorm.__post_init__: not 0 <= self.quantile": (
        "quantile is -1",
        lambda: AdaptiveNorm(SecureSum(), quantile=-1),
    ),
    "fl.aggregators.clipping.AdaptiveNorm.__post_init__: not self.quantile <= 1": (
        "quantile is 2",
        lambda: AdaptiveNorm(SecureSum(), quantile=2),
    ),
    "fl.aggregators.clipping.AdaptiveNorm.norm: len(state) != 1": (
        "expected one norm above 0",
        adaptive(np.array(1.0), np.array(2.0)),
    ),
    "fl.aggregators.clipping.AdaptiveNorm.norm: not state[0].shape == ()": (
        "expected one norm above 0",
        adaptive(np.array([1.0])),
    ),
    "fl.aggregators.clipping.AdaptiveNorm.norm: not state[0] > 0": (
        "expected one norm above 0",
        adaptive(np.array(-1.0)),
    ),
    "fl.aggregators.clipping._check_length: not length <= norm * total.weight * _FLOAT32 + math.sqrt(size) * "
    "total.rounding": ("a sum of updates of norm", a_sum_beyond_the_norm),
    "fl.aggregators.clipping._check_positive: not 0 < value": (
        "norm",
        lambda: ByNorm(SecureSum(), -1.0),
    ),
    "fl.aggregators.clipping._check_positive: not value < math.inf": (
        "norm",
        lambda: ByNorm(SecureSum(), np.inf),
    ),
    "fl.aggregators.decoding.Decoding._counts: _check(counted >= 0 and all((count <= counted for count in "
    "failed)), f'more clients than the {survivors} in the sum say that something of theirs is "
    "not')": ("more clients than", lie("more than four that are not finite")),
    "fl.aggregators.decoding.Decoding._counts: _check(counted <= weight <= most, f'weights that sum to "
    "{weight}, expected {counted} to {most} of {counted} clients')": (
        "weights that sum to",
        lie("a weight of 2^20"),
    ),
    "fl.aggregators.decoding.Decoding._counts: _check(clipped <= there, f'{clipped} coordinates clipped of "
    "{there} that there are')": ("coordinates clipped", lie("more clipped than there are")),
    "fl.aggregators.decoding.Decoding._total: _check(-most <= low and high <= most, 'updates beyond the "
    "clip')": (
        "updates beyond the clip",
        lie("update words near 2^31"),
    ),
    "fl.aggregators.decoding.Decoding._total: _check(reachable and within, 'statistics beyond the range of "
    "float32')": ("statistics beyond", lie("a statistic beyond its digits")),
    "fl.aggregators.decoding.Decoding._metrics: _check(reachable and within, 'metrics beyond the range of "
    "float32')": ("metrics beyond", lie("a loss beyond its digits")),
    "fl.aggregators.decoding.Decoding._metrics: _check(within, f'a count of {metric.name!r} that {given} "
    "clients cannot reach')": ("a count of", lie("more examples than four have")),
    "fl.aggregators.encoding.Encoding.update: self.clip is None": (
        NOT_KNOWN,
        lambda: SecureSum(clip=None).aggregate(contributions(), session()) and None,
    ),
    "fl.aggregators.decoding._check: not plausible": (
        "updates beyond",
        lie("update words near 2^31"),
    ),
}


def refused(says, wrong):
    """Whether it is the typed error that says so, or nothing where that means "not known"."""
    try:
        result = wrong()
    except (fl.errors.FLError, SecAggError) as error:
        return says is not NOT_KNOWN and re.search(says, str(error)) is not None
    except UNTYPED:
        return False  # untyped, and it does not say what was expected
    return says is NOT_KNOWN and result is None


def test_every_refusal_is_here():
    assert {f"{check.where}: {check.says}" for check in checks(MODULES)} == WRONG.keys()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", checks(MODULES), ids=str)
def test_it_is_refused_if_and_only_if_the_check_is_there(check, monkeypatch):
    says, wrong = WRONG[f"{check.where}: {check.says}"]
    assert refused(says, wrong)
    remove(monkeypatch, check)
    assert not refused(says, wrong)
