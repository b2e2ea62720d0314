"""The errors of the learning side: each is one line that says what was seen and what was expected.

    >>> try:
    ...     fl.SecureSum(bits=1)
    ... except fl.errors.AggregationError as error:
    ...     print(error)
    bits=1, expected an int in 2..64

The protocol's own errors pass through unchanged; `SecAggError`, `LocalProtocolError` and
`TooFewClients` are here too, for whoever knows only `fl`.
"""

from secagg import LocalProtocolError, SecAggError, TooFewClients

__all__ = [
    "AggregationError",
    "CheckpointError",
    "DataError",
    "FLError",
    "ImplausibleSum",
    "LocalProtocolError",
    "MetricError",
    "ModelError",
    "NoExamples",
    "PrivacyError",
    "ReportError",
    "SecAggError",
    "SumWarning",
    "TooFewClients",
]


class FLError(Exception):
    """Anything this package refuses to do.

    >>> try:
    ...     fl.build_weighted_fed_avg(model_fn())
    ... except fl.errors.FLError as error:
    ...     print(type(error).__name__, error)
    ModelError model_fn is a model, expected a function that returns one
    """


class DataError(FLError, ValueError):
    """A client's data are not examples this model can be trained on.

    >>> fl.analytics.secure_mean([[1], ["x"]])
    Traceback (most recent call last):
    fl.errors.DataError: client 1: not an array of numbers, expected ...
    """


class NoExamples(DataError):
    """A round in which no client has an example.

    >>> process = fl.build_weighted_fed_avg(model_fn)
    >>> process.next(process.initialize(), [[], []])
    Traceback (most recent call last):
    fl.errors.NoExamples: none of 2 clients has an example, expected at least one
    """


class ModelError(FLError, ValueError):
    """The model, its optimizer or its weights do not fit.

    >>> fl.build_weighted_fed_avg(lambda: keras.Sequential())
    Traceback (most recent call last):
    fl.errors.ModelError: model 'sequential...' is not built, expected keras.Input(...) first ...
    """


class MetricError(ModelError):
    """A metric whose state does not add up across clients.

    >>> class Largest(keras.metrics.Sum):
    ...     def update_state(self, y, predicted, sample_weight=None):
    ...         self.total.assign(keras.ops.maximum(self.total, keras.ops.max(predicted)))
    >>> model = model_fn()
    >>> model.compile(loss=model.loss, metrics=[Largest(name="largest")])
    >>> fl.build_fed_eval(lambda: model)(model, clients)
    Traceback (most recent call last):
    fl.errors.MetricError: ...'largest' does not add up...
    """


class AggregationError(FLError, ValueError):
    """The contributions of a round cannot be summed as asked.

    >>> fl.SecureSum(clip=-1.0)
    Traceback (most recent call last):
    fl.errors.AggregationError: clip=-1.0, expected a finite number above 0
    """


class PrivacyError(FLError, ValueError):
    """Noise, a rounding or a promise of privacy that cannot be as asked.

    >>> fl.privacy.SkellamNoise(0.0)
    Traceback (most recent call last):
    fl.errors.PrivacyError: a variance of 0.0, expected one above 0 and to 2^31
    """


class ImplausibleSum(AggregationError):
    """A sum that no set of honest clients gives: somebody lied, and nothing is learned from it.

    >>> issubclass(fl.errors.ImplausibleSum, fl.errors.AggregationError)
    True
    """


class SumWarning(UserWarning):
    """A sum leaves out or changes something of the clients': clipped, or beyond `max_weight`.

    >>> process = fl.build_weighted_fed_avg(model_fn, aggregator=fl.SecureSum(clip=1e-9))
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     result = process.next(process.initialize(), clients)
    >>> caught[0].category.__name__, str(caught[0].message)[:47]
    ('SumWarning', '100.00% of the coordinates of updates were clip')
    """


class CheckpointError(FLError):
    """A checkpoint that cannot be written, or none that can be read.

    >>> fl.experiment.Checkpoints("run", keep=0)
    Traceback (most recent call last):
    fl.errors.CheckpointError: keep is 0, expected at least 1
    """


class ReportError(FLError, ValueError):
    """A page that cannot be made of what was given, or not where it was asked for.

    >>> fl.report.read_run(tmp_path)
    Traceback (most recent call last):
    fl.errors.ReportError: ...: no settings.json, expected the directory of a run of `fl train`
    """


class RunFailed(FLError):
    """A run failed for a reason other than its settings."""


class DamagedCheckpoints(CheckpointError, RunFailed):
    """There are checkpoints, and not one of them is whole."""
