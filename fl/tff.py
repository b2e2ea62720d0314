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
_WEIGHTED = "build_weighted_... for the number of examples, build_unweighted_... for 1"
_MODEL = "a compiled Keras model, returned by model_fn"
_PLAIN = "plain Python: a process is called as it is"
_LOOP = "plain Python: a loop over the clients' data"
_TYPE = "nothing: states, metrics and data are plain objects"
_MIME = "server_optimizer_fn= with momentum, the nearest to it here"
_RECON = "fl.build_personalization, the nearest to it here"

ARGUMENTS: Mapping[str, str] = {
    "client_weighting": _WEIGHTED,
    "client_weight_fn": _WEIGHTED,
    "model_aggregator": _SUM,
    "sum_aggregator": _SUM,
    "aggregation_process": _SUM,
    "model_update_aggregation_factory": _SUM,
    "stateful_delta_aggregate_fn": _SUM,
    "metrics_aggregator": f"{_NOTHING}; metrics are summed with the update, as securely",
    "model_distributor": f"{_NOTHING}; clients are sent the weights as they are",
    "distributor": f"{_NOTHING}; clients are sent the centers as they are",
    "broadcast_process": f"{_NOTHING}; clients are sent the weights as they are",
    "stateful_model_broadcast_fn": f"{_NOTHING}; clients are sent the weights as they are",
    "loop_implementation": f"{_NOTHING}; all batches run in one compiled function",
    "use_experimental_simulation_loop": f"{_NOTHING}; all batches run in one compiled function",
    "client_learning_rate_fn": "client_learning_rate=, round -> rate",
    "random_seed": "seed=",
}

MODEL_ARGUMENTS: Mapping[str, str] = {
    "keras_model": "model=, or the model first and without a name",
    "dummy_batch": "input_spec=, or nothing where the model is built",
    "loss_weights": "model.compile(loss_weights=) of the model that model_fn returns",
}
"""Of `fl.from_keras_model`, as ARGUMENTS are of the builders."""

ALGORITHMS: Mapping[str, str] = {
    name: f"fl.{name}"
    for name in (
        "build_weighted_fed_avg",
        "build_unweighted_fed_avg",
        "build_weighted_fed_prox",
        "build_unweighted_fed_prox",
        "build_fed_sgd",
        "build_fed_eval",
        "build_fed_kmeans",
    )
} | {
    "build_personalization_eval_computation": "fl.build_personalization_eval",
    "build_weighted_fed_avg_with_optimizer_schedule": (
        "fl.build_weighted_fed_avg(client_learning_rate=)"
    ),
    "build_weighted_mime_lite": _MIME,
    "build_unweighted_mime_lite": _MIME,
    "build_mime_lite_with_optimizer_schedule": _MIME,
    "build_fed_recon": _RECON,
    "build_fed_recon_eval": _RECON,
}
"""Of `tff.learning.algorithms`, for those who write `fl.algorithms`."""

NAMES: Mapping[str, str] = {
    "build_federated_averaging_process": "fl.build_weighted_fed_avg",
    "build_federated_evaluation": "fl.build_fed_eval",
    "build_federated_sgd_process": "fl.build_fed_sgd",
    **{name: new for name, new in ALGORITHMS.items() if new != f"fl.{name}"},
    "algorithms": "the same names in fl itself, such as fl.build_weighted_fed_avg",
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
    "dp_aggregator": "fl.aggregators.CentralNoise",
    "ddp_secure_aggregator": "fl.SecureSum(coding=), of an fl.aggregators.DistributedNoise",
    "compression_aggregator": "fl.SecureSum(coding=), of an fl.aggregators.Rotated",
    "add_debug_measurements": 'metrics["aggregator"] and metrics["finalizer"] of a round',
    "metrics": "those of Keras, given to model.compile or fl.from_keras_model",
    "templates": "an object with initialize and next, over one of fl.aggregators",
    "programs": "a loop over process.next, or fl.experiment",
    "backends": "nothing: a process is called as it is; workers= trains on several cores",
    "Model": _MODEL,
    "TrainableModel": _MODEL,
    "VariableModel": _MODEL,
    "FunctionalModel": _MODEL,
    "federated_computation": _PLAIN,
    "tf_computation": _PLAIN,
    "federated_mean": "fl.analytics.secure_mean, or fl.analytics.secure_weighted_mean",
    "federated_sum": "fl.analytics.secure_sum",
    "federated_secure_sum": "fl.analytics.secure_sum",
    "federated_map": _LOOP,
    "federated_broadcast": _LOOP,
    "federated_aggregate": "one of fl.aggregators, or an object with its methods",
    "sequence_reduce": "numpy, over a client's own arrays",
    "FederatedType": _TYPE,
    "type_at_clients": _TYPE,
    "type_at_server": _TYPE,
    "CLIENTS": "nothing: what clients hold is a list, one item a client",
    "SERVER": "nothing: what the server holds is a state",
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
    "preprocess": "arrays(client), or map the data set of create_tf_dataset_for_client(client)",
    "dataset_computation": "create_tf_dataset_for_client",
    "serializable_dataset_fn": "create_tf_dataset_for_client",
    "element_type_structure": "create_tf_dataset_for_client(client).element_spec",
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

    known = MODEL_ARGUMENTS if builder.__name__ == "from_keras_model" else ARGUMENTS

    @wraps(builder)
    def build(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name in known:
                raise ModelError(
                    f"{name}= is of TensorFlow Federated, {builder.__name__} has no such "
                    f"argument, expected {known[name]}"
                )
        return builder(*args, **kwargs)

    return build
