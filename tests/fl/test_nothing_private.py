"""Nothing of one client is in an error, its causes, a warning, a log, or a `repr`.

Each path is fed a number that stands nowhere else; then all that was said is searched for it. What
TensorFlow itself logs, below Python, is not ours: the commands of `fl` keep it quiet.
"""

import logging
import re
import warnings

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fl
from fl.aggregators.contribution import Contribution, Metric, Submission
from fl.aggregators.interface import Session
from fl.client.examples import read_examples
from fl.population.devices import Status
from tests.helpers.small import linear, one_weight

secrets = st.integers(70_001, 99_999)


def summed(*contributions, aggregator=None, **changes):
    given = Session(0, 0, [bytes(32)] * len(contributions), **changes)
    total = (aggregator or fl.SecureSum()).aggregate(contributions, given)
    total.warn()
    return total.report()  # not the sum: that the server may see


def of(delta=(1.0, 1.0), weight=1, metrics=(1.0,), statistics=(1.0,)):
    return Contribution(np.float32(delta), weight, np.float64(metrics), np.float32(statistics))


def by_norm(secret):
    clipped = fl.aggregators.ByNorm(fl.SecureSum(), 0.5)
    return summed(of((secret, np.nan)), of((secret, 1)), of(), aggregator=clipped)


SILENT = fl.analytics.ServerNoise(1e-9)
SUMS = {
    "weight": lambda s: summed(of(weight=s), of(), of()),
    "part of a weight": lambda s: summed(of(weight=s + 0.5), of(), of()),
    "weight below zero": lambda s: summed(of(weight=-s), of(), of()),
    "clipped": lambda s: summed(of((s, 1)), of(), of()),
    "infinite update": lambda s: summed(of((s, np.inf)), of(), of()),
    "infinite statistics": lambda s: summed(of(statistics=[np.inf], delta=(s, s)), of(), of()),
    "large metric": lambda s: summed(of(metrics=[s * 1e35]), of(), of()),
    "metrics of another number": lambda s: summed(
        of(metrics=[s]), of(), metrics=(Metric("loss", 2),)
    ),
    "more metrics than the others": lambda s: summed(of(), of(metrics=[s, s]), of()),
    "update of another length": lambda s: summed(of(), of((s, s, s)), of()),
    "one client alone": lambda s: summed(of((s, s), s, [s])),
    "too few": lambda s: summed(of((s, s), s), of(), of(), dropouts={0: 2}),
    "by norm": by_norm,
    "plain": lambda s: summed(of(weight=-s, metrics=[s]), of(), aggregator=fl.PlainSum()),
    "plain, of another length": lambda s: summed(of(), of([s] * 3), aggregator=fl.PlainSum()),
    "words in a mean": lambda s: fl.analytics.secure_mean([[1], [f"{s}x"]]),
    "an object in a mean": lambda s: fl.analytics.secure_mean([[1], [{s: s}]]),
    "uneven": lambda s: fl.analytics.secure_sum([[1], [[s], [s, s]]]),
    "another shape": lambda s: fl.analytics.secure_sum([np.ones((2, 1)), np.full((s, 2), s)]),
    "heavy": lambda s: fl.analytics.secure_weighted_mean([1, 2], [1, s], aggregator=fl.SecureSum()),
    "heavy in the clear": lambda s: fl.analytics.secure_weighted_mean(
        [1, 2], [1, -s], aggregator=fl.PlainSum()
    ),
    "beyond a clip": lambda s: fl.analytics.secure_sum([1, s], aggregator=fl.SecureSum(clip=2.0)),
    "beyond float32": lambda s: fl.analytics.secure_sum([1, s * 1e35]),
    "nan": lambda s: fl.analytics.secure_histogram([1, [s, np.nan]], [0, 1]),
    "out of a quantile's range": lambda s: fl.analytics.secure_quantile([s, s], 0.5, low=0, high=1),
    "nan in a private sum": lambda s: (
        fl.analytics.private_sum([1, [s, np.nan]], low=0, high=1, noise=SILENT).aggregator
    ),
    "beyond a private range": lambda s: fl.analytics.private_mean(
        [1, s], low=0, high=1, noise=SILENT
    ),
    "words in a private histogram": lambda s: fl.analytics.private_histogram(
        [1, f"{s}x"], [0, 1], noise=SILENT
    ),
    "words in k-means": lambda s: clusters([[str(s) + "x"]]),
    "wide points": lambda s: clusters(np.full((s, 3), s)),
    "infinite points": lambda s: clusters([[s], [np.inf]]),
}


def clusters(data):
    process = fl.build_fed_kmeans(1, (1,))
    return process.next(process.initialize(), [np.ones((1, 1)), np.array(data)]).metrics


def embedding():
    model = keras.Sequential(
        [
            keras.Input((1,), dtype="int32"),
            keras.layers.Embedding(3, 2),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), loss="mse", jit_compile=False)
    return model


ROW = np.ones((1, 4), np.float32)
WORD = {"x": np.ones((1, 1), np.float32)}
EXAMPLES = {
    "a label out of range": (linear, lambda s: (ROW, np.array([s]))),
    "rows that differ": (linear, lambda s: (np.ones((s, 4), np.float32), np.zeros(s - 1, int))),
    "wide rows": (linear, lambda s: (np.ones((s, 5), np.float32), np.zeros(s, int))),
    "targets of another rank": (
        linear,
        lambda s: (np.ones((s, 4), np.float32), np.zeros((s, 2, 2))),
    ),
    "uneven lists": (linear, lambda s: ([[float(s)], [1.0, 2.0]], [0, 1])),
    "objects": (linear, lambda s: (np.array([s, None], object), np.zeros(2, int))),
    "words": (linear, lambda s: (np.full((1, 4), str(s)), np.zeros(1, int))),
    "words as targets": (one_weight, lambda s: WORD | {"y": np.array([[str(s)]])}),
    "an index out of range": (
        embedding,
        lambda s: (np.full((1, 1), s, np.int32), np.zeros((1, 1), np.float32)),
    ),
    "not finite": (one_weight, lambda s: (np.float32([[s]]), np.float32([[np.inf]]))),
    "clipped": (one_weight, lambda s: (np.float32([[1]]), np.float32([[s]]))),
}
GOOD = {
    linear: (ROW, np.array([1])),
    one_weight: (np.ones((1, 1), np.float32), np.ones((1, 1), np.float32)),
    embedding: (np.ones((1, 1), np.int32), np.ones((1, 1), np.float32)),
}
PROCESSES = {}


def trained(name, secret):
    model_fn, data = EXAMPLES[name]
    if model_fn not in PROCESSES:
        PROCESSES[model_fn] = fl.build_weighted_fed_avg(model_fn, batch_size=10**6)
    process = PROCESSES[model_fn]
    one = data(secret)
    # Alone among others, its data may be left out with a warning; all three, they are an error.
    reports = []
    for clients in ([one, GOOD[model_fn], GOOD[model_fn]], [one] * 3):
        metrics = process.next(process.initialize(), clients).metrics
        reports.append(metrics["aggregator"])
    return reports  # the metrics themselves are sums, which the server may see


def everything_said(work):
    """What an error and its causes, warnings, logs and the result say."""
    heard = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                heard.append(repr(work()))
            except (fl.errors.FLError, fl.errors.SecAggError) as error:
                heard += list(chain(error))
        heard += [str(warning.message) for warning in warned]
    finally:
        root.removeHandler(handler)
    return "\n".join(heard)


def says(text, secret):
    """Whether a text has the secret as a number, not as digits of a time or of a bound."""
    whole, mantissa = str(secret), f"{str(secret)[0]}[.]{str(secret)[1:]}e"
    return re.search(rf"(?<![\d.]){whole}(?!\d)|{mantissa}", text) is not None


def chain(error, seen=()):
    """An error and all that it came from."""
    if error is None or error in seen:
        return
    yield f"{error!r} {error} {error.args} {getattr(error, '__notes__', '')}"
    for other in (error.__cause__, error.__context__):
        yield from chain(other, (*seen, error))


@pytest.mark.parametrize("path", SUMS)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(secret=secrets)
def test_sums_say_nothing_of_a_client(path, secret):
    said = everything_said(lambda: SUMS[path](secret))
    assert not says(said, secret)


@pytest.mark.parametrize("path", EXAMPLES)
@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(secret=secrets)
def test_training_says_nothing_of_a_client(path, secret):
    said = everything_said(lambda: trained(path, secret))
    assert not says(said, secret)


@given(secrets)
def test_a_repr_shows_nothing(secret):
    contribution = of((secret, 0.5), secret, [secret], [secret])
    submission = Submission.of(contribution, (Metric("loss", 1),), secret)
    examples = read_examples((np.full((3, 1), secret), np.full(3, secret)))
    one = np.full(3, secret)
    data = fl.data.ClientData.from_partition((one, one), [[0, 1, 2]], [str(secret)])
    for thing in (contribution, submission, examples, Status(examples=secret), data):
        assert not says(repr(thing), secret)


def test_the_search_finds_what_is_said():
    """The other tests can fail: a cause, a note of an error, a warning and a log are all seen."""

    def talk():
        warnings.warn("warned 71111", stacklevel=1)
        logging.getLogger("fl").warning("logged 72222")
        try:
            raise ValueError("caused 73333")
        except ValueError as error:
            raise fl.errors.DataError("said 74444") from error

    said = everything_said(talk)
    for part in (71111, 72222, 73333, 74444):
        assert says(said, part)
    for text in ("(71111, 4)", "71111.0", "x=-71111", "7.1111e+39", "b'71111'"):
        assert says(text, 71111)
    assert not says("0.471111 171111 711110", 71111)
