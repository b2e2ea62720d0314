"""Who adds the noise of an answer: every client a share of it, or the server all of it.

    ClientNoise   nobody ever sees an exact sum, whoever runs the server included
    ServerNoise   the server is trusted with the exact sum, and with forgetting it

Each makes the aggregator of a question, of which is known how long one client's part may be at the
most (`bounded`). Whatever a client is asked, its own aggregator clips to that length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from fl.aggregators.central import CentralNoise
from fl.aggregators.clipping import ByNorm
from fl.aggregators.codings.noisy import DistributedNoise
from fl.aggregators.interface import Aggregator, SumShape
from fl.aggregators.plain import PlainSum
from fl.aggregators.secure import SecureSum
from fl.errors import AggregationError
from fl.privacy.fitting import Integral

_WRAPS = 2.0**-40
_OF_CODINGS = ("clip", "bits", "max_weight")  # fields of SecureSum that noise has no use for


@dataclass(frozen=True)
class ClientNoise:
    """Every client adds a share, of which the honest ones in a sum have the noise together.

    noise_multiplier: z, over what one client can move an answer, of the sum that has the fewest
        honest clients (`fl.privacy.noise_multiplier`).
    bits: of a number on the wire.
    mechanism: of which noise.

    Raises AggregationError for numbers out of range.

    >>> noise = fl.analytics.ClientNoise(0.001)
    >>> answer = fl.analytics.private_sum([1, 2, 3, 4], low=0, high=5, noise=noise)
    >>> answer.aggregator["noise"]["mechanism"], answer.aggregator["kind"]
    ('discrete_gaussian', 'secure')
    """

    noise_multiplier: float
    bits: int = 32
    mechanism: Integral = "discrete_gaussian"

    def __post_init__(self) -> None:
        self._coding(1.0)

    def aggregator(self, given: Aggregator, norm: float) -> SecureSum:
        """The sum of parts that are at most `norm` long. Raises AggregationError."""
        if not isinstance(given, SecureSum):
            raise AggregationError(
                f"noise of the clients in a {type(given).__name__}, expected a fl.SecureSum: where "
                "others see single clients, these would need all the noise each"
            )
        return replace(_as_it_comes(given), coding=self._coding(norm))

    def deviation(self, given: Aggregator, norm: float, size: int, n: int, survivors: int) -> float:
        """The standard deviation of noise and rounding, at most, in each of `size` numbers of a sum
        of so many survivors of n clients."""
        secure = self.aggregator(given, norm)
        shape = SumShape(n, (size, 0), (), weighted=False)
        encoding = self._coding(norm).encoding(shape, (), secure.least(n))
        return math.sqrt(encoding.fitted.error_variance(survivors))

    def _coding(self, norm: float) -> DistributedNoise:
        return DistributedNoise(
            norm=norm,
            noise_multiplier=self.noise_multiplier,
            bits=self.bits,
            mechanism=self.mechanism,
            wraps=_WRAPS,
        )


@dataclass(frozen=True)
class ServerNoise:
    """The server adds the noise to an exact sum, before anything is made of it.

    noise_multiplier: z, over what one client can move an answer.

    Raises AggregationError unless it is finite and above 0.

    >>> noise = fl.analytics.ServerNoise(0.001)
    >>> answer = fl.analytics.private_sum([1, 2, 3, 4], low=0, high=5, noise=noise)
    >>> answer.release.mechanism
    'gaussian'
    """

    noise_multiplier: float

    def __post_init__(self) -> None:
        self.aggregator(SecureSum(), 1.0)

    def aggregator(self, given: Aggregator, norm: float) -> CentralNoise:
        """The sum of parts that are at most `norm` long. Raises AggregationError."""
        if not isinstance(given, SecureSum | PlainSum):
            raise AggregationError(
                f"noise on a {type(given).__name__}, expected a fl.SecureSum or fl.PlainSum"
            )
        exact = replace(_as_it_comes(given), clip=None) if isinstance(given, SecureSum) else given
        return CentralNoise(ByNorm(exact, norm), self.noise_multiplier)

    def deviation(self, given: Aggregator, norm: float, size: int, n: int, survivors: int) -> float:
        """As of `ClientNoise`; it does not depend on how many there are."""
        return self.noise_multiplier * norm


Noise = ClientNoise | ServerNoise


def check_noise(noise: object) -> None:
    """Raise AggregationError for what is no noise."""
    if not isinstance(noise, ClientNoise | ServerNoise):
        raise AggregationError(
            f"noise is {noise!r}, expected fl.analytics.ClientNoise(...) or ServerNoise(...)"
        )


def check_exact(aggregator: Aggregator) -> Aggregator:
    """The aggregator. Raises AggregationError for one with noise, whose answers are not exact."""
    if isinstance(aggregator, CentralNoise) or _is_noisy(aggregator):
        raise AggregationError(
            f"an exact answer of {aggregator!r}, expected a sum without noise; "
            "fl.analytics.private_sum and its kin answer with noise"
        )
    return aggregator


def _is_noisy(aggregator: Aggregator) -> bool:
    return isinstance(getattr(aggregator, "coding", None), DistributedNoise)


def _as_it_comes(given: SecureSum) -> SecureSum:
    """The sum, of which how numbers are written is left open. Raises AggregationError where it is
    not."""
    usual = {field.name: field.default for field in fields(SecureSum)}
    if given.coding is not None or any(getattr(given, name) != usual[name] for name in _OF_CODINGS):
        raise AggregationError(
            f"{given!r} for an answer with noise, expected clip, bits, max_weight and coding as "
            "they are by default: the noise says how numbers are written"
        )
    return given
