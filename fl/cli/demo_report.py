"""The page of a demonstration: its two sides as two runs, which differ in the sum alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from fl.experiment.metrics import RunLine, line_of
from fl.experiment.seen import seen_of
from fl.report.runs import Run

if TYPE_CHECKING:
    from fl.cli.demo_settings import Settings
    from fl.cli.demo_side_by_side import Comparison, Row
    from fl.process.reports import MetricValues, RoundMetrics


def runs_of(settings: Settings, rows: Sequence[Row], comparison: Comparison) -> list[Run]:
    """The secure side, with what its server saw in round 1, and the plain one."""
    seen = comparison.observed
    saw = None if seen is None else seen_of(seen, 1, str(seen.client))
    secure = [_line(row.metrics, row.test) for row in rows]
    plain = [_line(row.plain_metrics, row.plain_test) for row in rows]
    of_both = asdict(settings)
    return [
        Run("secure", {**of_both, "aggregator": "secure"}, secure, saw),
        Run("plain", {**of_both, "aggregator": "plain"}, plain),
    ]


def _line(metrics: RoundMetrics, test: MetricValues) -> RunLine:
    return {**line_of(metrics), "eval": test}
