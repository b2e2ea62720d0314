"""The errors of the learning side: each is one line that says what was seen and what was expected.

The protocol's own errors (`secagg.SecAggError`, `TooFewClients`) pass through unchanged.
"""


class FLError(Exception):
    """Anything this package refuses to do."""


class DataError(FLError, ValueError):
    """A client's data are not examples this model can be trained on."""


class ModelError(FLError, ValueError):
    """The model, its optimizer or its weights do not fit."""


class MetricError(ModelError):
    """A metric whose state does not add up across clients."""


class AggregationError(FLError, ValueError):
    """The contributions of a round cannot be summed as asked."""


class ImplausibleSum(AggregationError):
    """A sum that no set of honest clients gives: somebody lied, and nothing is learned from it."""


class SumWarning(UserWarning):
    """Some of what clients had is not in a sum as they had it: clipped, or beyond `max_weight`."""


class CheckpointError(FLError):
    """A checkpoint that cannot be written, or none that can be read."""


class RunFailed(FLError):
    """What was asked for did not come about, and no setting is to blame."""


class DamagedCheckpoints(CheckpointError, RunFailed):
    """There are checkpoints, and not one of them is whole."""
