"""`fl evaluate`: a saved model on the test examples of a data set."""

from __future__ import annotations

from collections.abc import Iterator

from fl.cli.output import AsJson, output
from fl.cli.training_rows import number
from fl.experiment.settings import Evaluation
from fl.process.reports import EvaluationMetrics


def evaluate(evaluation: Evaluation, as_json: AsJson = False) -> None:
    """Evaluate a model on the test examples: each client its own, the metrics summed securely."""
    with output(as_json=as_json) as out:
        with out.starting(workers=1):
            from fl.experiment.assembly import Simulation
            from fl.experiment.training import evaluate_model

        with out.bars() as bars:
            metrics = evaluate_model(evaluation, bars.trained, Simulation(progress=bars.summed))
        out.result = metrics
        out.say(*_lines(metrics))


def _lines(metrics: EvaluationMetrics) -> Iterator[str]:
    """What an evaluation says to people."""
    tested, summed = metrics["client_work"]["eval"], metrics["aggregator"]
    width = max(map(len, tested))
    for name, value in tested.items():
        yield f"{name:{width}}  {number(value)}"
    yield f"{summed['kind']} sum over {len(summed['survivors'])} clients"
    yield f"{summed['bytes_up'] / 1000:.1f} kB up each"
