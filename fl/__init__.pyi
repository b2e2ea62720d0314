# What the package exports, each name once: `fl.__getattr__` reads it, and so do type checkers.
from . import aggregators as aggregators
from . import analytics as analytics
from . import data as data
from . import errors as errors
from . import experiment as experiment
from . import leak as leak
from . import population as population
from . import privacy as privacy
from . import report as report
from .aggregators.plain import PlainSum as PlainSum
from .aggregators.secure import SecureSum as SecureSum
from .algorithms.adaptive import FedAdagrad as FedAdagrad
from .algorithms.adaptive import FedAdam as FedAdam
from .algorithms.adaptive import FedYogi as FedYogi
from .algorithms.fedavg import build_unweighted_fed_avg as build_unweighted_fed_avg
from .algorithms.fedavg import build_weighted_fed_avg as build_weighted_fed_avg
from .algorithms.fedprox import build_unweighted_fed_prox as build_unweighted_fed_prox
from .algorithms.fedprox import build_weighted_fed_prox as build_weighted_fed_prox
from .algorithms.fedsgd import build_fed_sgd as build_fed_sgd
from .algorithms.kmeans import KMeansState as KMeansState
from .algorithms.kmeans_process import build_fed_kmeans as build_fed_kmeans
from .evaluation.fed_eval import build_fed_eval as build_fed_eval
from .evaluation.personalization import build_personalization_eval as build_personalization_eval
from .model.keras_models import from_keras_model as from_keras_model
from .model.vector import ModelWeights as ModelWeights
from .personal.copies import build_personalization as build_personalization
from .personal.tuning import FineTune as FineTune
from .process.federated_process import FederatedProcess as FederatedProcess
from .process.server_optimizer import ServerState as ServerState
from .process.training_server import RoundResult as RoundResult
from .progress.watch import show_progress as show_progress
from .report.history import History as History

__all__: list[str]
__version__: str

def require_tensorflow() -> None: ...
