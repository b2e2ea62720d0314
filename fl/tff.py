"""Names of TensorFlow Federated, of its tutorials old and new, and what is here in their place.

Whoever uses one is told in one line: an argument by a ModelError, anything else by the
AttributeError that Python gives; docs/from-tff.md has them all. What TFF has and this package has
not: docs/compared-with-tff.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

from fl.errors import ModelError

P = ParamSpec("P")
R = TypeVar("R")

_SUM = "aggregator=, such as fl.SecureSum() or fl.PlainSum()"
_NOTHING = "nothing: leave it out"

ARGUMENTS: Mapping[str, str] = {
    "client_weighting": "build_weighted_... for the number of examples, build_unweighted_... for 1",
    "model_aggregator": _SUM,
    "sum_aggregator": _SUM,
    "aggregation_process": _SUM,
    "model_update_aggregation_factory": _SUM,
    "metrics_aggregator": f"{_NOTHING}; metrics are summed with the update, as securely",
    "model_distributor": f"{_NOTHING}; clients are sent the weights as they are",
    "distributor": f"{_NOTHING}; clients are sent the centers as they are",
    "broadcast_process": f"{_NOTHING}; clients are sent the weights as they are",
    "loop_implementation": f"{_NOTHING}; all batches run in one compiled function",
    "use_experimental_simulation_loop": f"{_NOTHING}; all batches run in one compiled function",
    "client_learning_rate_fn": "client_learning_rate=, round -> rate",
    "random_seed": "seed=",
}

NAMES: Mapping[str, str] = {
    "build_federated_averaging_process": "fl.build_weighted_fed_avg",
    "build_federated_evaluation": "fl.build_fed_eval",
    "build_federated_sgd_process": "fl.build_fed_sgd",
    "build_personalization_eval_computation": "fl.build_personalization_eval",
    "build_weighted_fed_avg_with_optimizer_schedule": (
        "fl.build_weighted_fed_avg(client_learning_rate=)"
    ),
    "from_compiled_keras_model": "the compiled model itself, returned by model_fn",
    "assign_weights_to_keras_model": "weights.assign_weights_to(model), or process.get_model",
    "state_with_new_model_weights": "process.set_model_weights",
    "ClientWeighting": "fl.build_weighted_fed_avg or fl.build_unweighted_fed_avg",
    "learning": "the same names in fl itself, such as fl.build_weighted_fed_avg",
    "models": "fl.from_keras_model, or a compiled model",
    "optimizers": "those of Keras, such as lambda: keras.optimizers.SGD(0.1)",
    "simulation": "fl.data, fl.population",
    "robust_aggregator": "fl.aggregators.AdaptiveNorm(fl.SecureSum())",
    "secure_aggregator": "fl.SecureSum()",
    "federated_computation": "plain Python: a process is called as it is",
    "tf_computation": "plain Python: a process is called as it is",
}

STATE: Mapping[str, str] = {
    "model": "state.weights, or process.get_model(state) for a Keras model",
    "global_model_weights": "state.weights",
    "optimizer_state": "state.optimizer",
    "round_num": "state.round",
    "delta_aggregate_state": "state.aggregator",
    "model_broadcast_state": "nothing: what clients are sent has no state",
    "client_work": "nothing: clients keep no state",
    "distributor": "nothing: what clients are sent has no state",
    "finalizer": "state.optimizer",
}

PROCESS: Mapping[str, str] = {
    "get_hparams": "the builder's arguments",
    "set_hparams": "the builder's arguments; client_learning_rate= changes with the round",
    "state_type": "nothing: a state is a plain object",
    "initialize_fn": "process.initialize",
    "next_fn": "process.next",
}

CLIENT_DATA: Mapping[str, str] = {
    "preprocess": "arrays(client), or map the data set that create_dataset gives",
    "dataset_computation": "create_dataset",
    "serializable_dataset_fn": "create_dataset",
    "element_type_structure": "create_dataset(client).element_spec",
}


class NamesWhatReplaces:
    """Of an attribute of TFF's that a class does not have, it names what is here in its place.

    A subclass says in `_replacements` which attributes these are.
    """

    _replacements: ClassVar[Mapping[str, str]]

    if not TYPE_CHECKING:  # a checker still finds what is misspelled

        def __getattr__(self, name: str) -> Any:
            raise missing(type(self).__name__, name, type(self)._replacements)


def missing(owner: str, name: str, names: Mapping[str, str]) -> AttributeError:
    """The error of an attribute that is not there; with what there is, for one of TFF's."""
    if name not in names:
        return AttributeError(f"{owner} has no attribute {name!r}")
    return AttributeError(
        f"{owner} has no {name!r}, which is of TensorFlow Federated, expected {names[name]}"
    )


def refuses_tff_arguments(builder: Callable[P, R]) -> Callable[P, R]:
    """A builder that says what to use in place of an argument of TFF's that it does not have.

    Raises ModelError for such an argument; another unknown name is the TypeError that it was.
    """

    @wraps(builder)
    def build(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name in ARGUMENTS:
                raise ModelError(
                    f"{name}= is of TensorFlow Federated, {builder.__name__} has no such "
                    f"argument, expected {ARGUMENTS[name]}"
                )
        return builder(*args, **kwargs)

    return build
