"""The scalars of a round, of a training and of an evaluation."""

import fl
from fl.experiment.events import scalars
from tests.helpers.small import linear


def test_a_training_and_an_evaluation_say_what_they_are(plain, clients, tmp_path):
    trained = plain.next(plain.initialize(), clients).metrics
    evaluation = fl.build_fed_eval(linear, aggregator=fl.PlainSum())
    evaluated = evaluation.next(evaluation.initialize(), clients).metrics
    assert dict(scalars(trained))["train/loss"] == trained["client_work"]["train"]["loss"]
    assert dict(scalars(evaluated))["eval/loss"] == evaluated["client_work"]["eval"]["loss"]
    events = fl.experiment.Events(str(tmp_path / "logs"))
    for metrics in (trained, evaluated):
        events.write(metrics)
    events.close()
    assert len(list((tmp_path / "logs").glob("events.out.tfevents.*"))) == 1
