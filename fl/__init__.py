"""Federated averaging of Keras models over secure aggregation.

    process = fl.build_weighted_fed_avg(model_fn, client_optimizer_fn)
    state = process.initialize()
    state, metrics = process.next(state, [client_a, client_b, ...])

Rooms: `algorithms` build the processes of `process`; `client` is what a client does, on a `model`;
`aggregators` sum, and use the protocol (pyproject.toml lists what others import of it);
`evaluation` and `analytics` ask without training, `personal` trains what one client keeps; `data`
and `population` are who takes part and with what; `privacy` has noise, encodings and accounts of
differential privacy; `experiment` is a whole training, `flower` one across machines, `report` what
people look at of one, `leak` what an update gives away, `cli` the command.  Below them all are
`plan` (what a round of training sends), `round_message` (what every round does), `progress`,
`seeds`, `warn`, `one_line`, `tff` (what TensorFlow Federated calls things), `whole_numbers`,
`errors`, and `startup`, which this page itself begins with.
Imports point downwards (pyproject.toml has the rules).  May be imported: what `fl/__init__.pyi`
names, and what the rooms for users say of themselves (`fl.aggregators`, `fl.analytics`, `fl.data`,
`fl.errors`, `fl.population`, `fl.privacy`).

Examples in docstrings use `model_fn`, a function that returns a small compiled Keras model of four
features and three classes, and `clients`, a list of four pairs (x, y).

What this package refuses is an `fl.errors.FLError`. A round that too few clients finish is not: it
is the protocol's `fl.errors.TooFewClients`. After either the old state is as good as before.

Importing this package imports neither TensorFlow nor numpy: that happens when a name is first used.
Where TensorFlow is missing, or Keras has another backend, `aggregators`, `analytics`, `errors` and
`population` work, and any other name raises ImportError. The package keeps TensorFlow's start-up
messages off the terminal; TF_CPP_MIN_LOG_LEVEL=0 shows them.
"""

from fl.startup.quiet_tensorflow import quieten
from fl.startup.requirement import require_tensorflow

__all__: list[str]
_WITHOUT_TENSORFLOW = ("aggregators", "analytics", "errors", "population")


def __getattr__(name: str) -> object:
    # Not at the top: a command sees to Ctrl-C before anything more is imported (`cli.starting`).
    import importlib

    if name == "__version__":
        return importlib.import_module("secagg").__version__
    attribute, _, names = importlib.import_module("lazy_loader").attach_stub(__name__, __file__)
    if name == "__all__":
        return names
    if name not in names:
        tff = importlib.import_module("fl.tff")
        raise tff.missing("module 'fl'", name, tff.NAMES)
    if name in _WITHOUT_TENSORFLOW:
        return attribute(name)
    require_tensorflow()
    value = attribute(name)
    require_tensorflow()  # Keras is imported now, and may have read its backend from a file
    return value


def __dir__() -> list[str]:
    return sorted([*__getattr__("__all__"), "__version__"])  # type: ignore[misc]


quieten()
