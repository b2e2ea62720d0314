"""Settings of how updates are summed: in how many bits, from whom, and how private the sum is.

Each is a field of `fl.experiment.settings.Settings`, which has the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fl.errors import AggregationError, PrivacyError
from fl.experiment.options import PRIVACY, SUM, Sum, above_zero, below_one, option
from fl.experiment.round_settings import RoundSettings

MECHANISMS = ("skellam", "discrete_gaussian", "gaussian")


@dataclass(frozen=True, kw_only=True)
class SumSettings(RoundSettings):
    """The sum, and its privacy."""

    aggregator: Sum = "secure"
    clip: Annotated[
        float | None,
        option(
            SUM,
            "The largest coordinate of an update in a secure sum; by default 4, and with fedsgd "
            "any.",
            check=above_zero,
        ),
    ] = None
    max_weight: Annotated[
        int,
        option(
            SUM,
            "The most examples that a client may have in a secure sum; one with more counts for "
            "nothing.",
            min=1,
        ),
    ] = 16384
    bits: Annotated[
        int,
        option(SUM, "How many bits a coordinate of a secure sum takes.", min=2, max=62),
    ] = 32
    rotate: Annotated[
        bool,
        option(
            SUM,
            "Rotate updates, so that few bits will do: 4 to 16 of them, from the second round on.",
        ),
    ] = False
    keep_coordinates: Annotated[
        float,
        option(
            SUM,
            "With rotate or a budget of privacy: which part of the coordinates is sent.",
            check=above_zero,
            max=1,
        ),
    ] = 1.0
    rotate_margin: Annotated[
        float | None,
        option(
            SUM,
            "With rotate: how many times longer than recent sums a sum may be; one that is does "
            "not fit and costs its round. By default 6 with 8 bits, 12 with 14.",
            min=1,
        ),
    ] = None
    clip_norm: Annotated[
        float | None,
        option(SUM, "The largest norm of an update; by default any.", check=above_zero),
    ] = None
    clip_quantile: Annotated[
        float | None,
        option(
            SUM, "Let the largest norm follow this quantile of the clients' norms.", min=0, max=1
        ),
    ] = None
    threshold: Annotated[
        float | None,
        option(
            SUM,
            "The fraction of the clients that must finish; by default more than two thirds.",
            min=0,
            max=1,
        ),
    ] = None
    corrupt: Annotated[
        float | None,
        option(
            SUM,
            "The fraction of the clients that may be corrupt; by default the most that the "
            "threshold withstands. Noise is not counted on from these.",
            min=0,
            max=1,
        ),
    ] = None
    dp_epsilon: Annotated[
        float | None,
        option(
            PRIVACY,
            "The budget of privacy of each client, ε. Updates get noise, and the run ends before "
            "it is exceeded; needs --clip-norm.",
            check=above_zero,
        ),
    ] = None
    dp_delta: Annotated[
        float,
        option(
            PRIVACY,
            "The δ of the budget, well below one over the number of clients.",
            check=below_one,
        ),
    ] = 1e-5
    dp_mechanism: Annotated[
        str,
        option(
            PRIVACY,
            "Who adds the noise: skellam or discrete_gaussian, every client a share of it; "
            "gaussian, the server, which is then trusted with the sum.",
            choices=MECHANISMS,
        ),
    ] = "skellam"
    dp_alignment: Annotated[
        float,
        option(
            PRIVACY,
            "With noise of the clients in few bits: how long a sum of n updates is expected to be, "
            "as a part of n times the norm. A longer one may wrap; it is as private.",
            check=above_zero,
            max=1,
        ),
    ] = 1.0

    @property
    def private(self) -> bool:
        """Whether sums have noise."""
        return self.dp_epsilon is not None

    @property
    def noise_of_clients(self) -> bool:
        """Whether it is the clients that add it."""
        return self.private and self.dp_mechanism != "gaussian"


def check_contradictions(settings: SumSettings) -> None:
    """Raise AggregationError or PrivacyError for settings of a sum that contradict each other."""
    _check_plain(settings)
    _check_rotated(settings)
    _check_unused(settings)
    if settings.private:
        _check_private(settings)


def _check_plain(settings: SumSettings) -> None:
    of_words = settings.rotate or settings.noise_of_clients or settings.bits != SumSettings.bits
    if settings.aggregator == "plain" and of_words:
        raise AggregationError(
            "bits, rotation or noise of the clients in a plain sum, expected --aggregator secure"
        )


def _check_rotated(settings: SumSettings) -> None:
    if settings.rotate and settings.private:
        raise AggregationError(
            "--rotate with --dp-epsilon, expected one of them: with noise of the clients updates "
            "are rotated in any case"
        )
    if settings.keep_coordinates < 1 and not (settings.rotate or settings.noise_of_clients):
        raise AggregationError(
            f"--keep-coordinates {settings.keep_coordinates} of updates that are not rotated, "
            "expected --rotate, or noise of the clients"
        )
    if settings.rotate_margin is not None and not settings.rotate:
        raise AggregationError(
            f"--rotate-margin {settings.rotate_margin} of updates that are not rotated, expected "
            "--rotate"
        )


def _check_unused(settings: SumSettings) -> None:
    """Raise AggregationError for what would change nothing."""
    if settings.over_selection != 1 and settings.sampling != "uniform":
        raise AggregationError(
            f"--over-selection {settings.over_selection} with --sampling {settings.sampling}, "
            "expected --sampling uniform, of which alone more are asked"
        )
    if settings.noise_of_clients and settings.clip is not None:
        raise AggregationError(
            f"--clip {settings.clip} with noise of the clients, expected --clip-norm alone"
        )
    if settings.dp_alignment < 1 and not settings.noise_of_clients:
        raise AggregationError(
            f"--dp-alignment {settings.dp_alignment} without noise of the clients, expected "
            "--dp-epsilon and --dp-mechanism skellam or discrete_gaussian"
        )


def _check_private(settings: SumSettings) -> None:
    if settings.clip_norm is None:
        raise PrivacyError("--dp-epsilon without --clip-norm, expected the largest norm")
    if settings.clip_quantile is not None and settings.noise_of_clients:
        raise PrivacyError(
            "--clip-quantile with noise of the clients, expected --dp-mechanism gaussian, or a "
            "fixed norm"
        )
    if settings.noise_of_clients and None in (settings.threshold, settings.corrupt):
        raise PrivacyError(
            "noise of the clients without --threshold and --corrupt, expected the fractions of "
            "them that must finish and that may add no noise: all others add theirs"
        )
