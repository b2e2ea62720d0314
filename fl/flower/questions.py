"""Questions of `fl.analytics` to nodes, one a round: a process for `server_app` and `client_app`.

    questions = [Question("histogram", (0.0, 10.0, 20.0)), Question("weighted mean", weighted=True)]
    app = server_app(lambda: Survey(questions), lambda: [0.0], config)
    app = client_app({"question": lambda: Survey(questions)}, values_of_this_host)

A client's data are a number, or an array whose first axis counts; as many as there are it counts,
where a question is weighted.
What the server learns is in the run's metrics and in `Answers`. A node that answers one and the
same message once (`same_message = 1`) does not answer a question twice. Sums and means need a
federation without a clip (`fl federation init --exact`), or one that holds them. Nodes need no
TensorFlow for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fl.aggregators.contribution import Contribution, State
from fl.aggregators.interface import Announced
from fl.aggregators.secure import SecureSum
from fl.aggregators.totals import Aggregated
from fl.analytics.asking import SUMS, Answering, Asking, OwnValues, Question
from fl.data.reals import real_numbers
from fl.errors import FLError
from fl.process.client_half import ClientHalf
from fl.process.reports import EvaluationMetrics
from fl.process.server_half import ServerHalf
from fl.round_message import Received


@dataclass(frozen=True)
class Answers:
    """What a survey has so far.

    numbers: of each question, float64: counts, or the sum or mean that it asks for.
    """

    numbers: tuple[tuple[float, ...], ...] = ()
    round: int = 0


class Answered(NamedTuple):
    """What a round gives."""

    state: Answers
    metrics: dict[str, object]


class Survey:
    """The process; the sum is that of each party's federation.toml.

    Raises FLError for no question.
    """

    def __init__(self, questions: Sequence[Question]) -> None:
        if not questions:
            raise FLError("no questions, expected at least one")
        self.client_half = ClientHalf(_Answering(), SecureSum())
        self.server_half = ServerHalf(_Asking(tuple(questions)), SecureSum())

    def initialize(self) -> Answers:
        """Nothing is answered yet."""
        return Answers()


class _Answering(Answering):
    """A client's half, whose data are its values alone."""

    def contribution(self, received: Received, client: int, data: object) -> Contribution:
        """As of `Answering`. Raises DataError for what are no numbers."""
        values = np.atleast_1d(real_numbers(data))
        weight = len(values) if received.weighted else min(len(values), 1)
        return super().contribution(received, client, OwnValues(values, weight))


class _Asking:
    """The server's half: the question of this round."""

    def __init__(self, questions: tuple[Question, ...]) -> None:
        self._questions = questions
        self._asking = Asking()

    def message(self, state: Answers, announced: Announced) -> bytes:
        """The question; the last one again, which no node answers, where there is no other."""
        return self._asking.message(self._question(state), announced)

    def carried(self, state: Answers) -> State:
        """Nothing."""
        return ()

    def finish(self, state: Answers, total: Aggregated, worked: float) -> Answered:
        """The answers so far, and the round's metrics. Raises as `Asking.finish`."""
        question = self._question(state)
        total = self._asking.finish(question, total, worked)
        given = total.metrics
        if question.name in SUMS:
            given = total.total if question.name == "sum" else total.mean
        numbers = tuple(given.tolist())
        metrics: EvaluationMetrics = {
            "client_work": {"eval": {question.name: list(numbers)}},
            "aggregator": total.report(),
            "seconds": {"eval": worked, "protocol": total.seconds},
        }
        after = Answers((*state.numbers, numbers), state.round + 1)
        return Answered(after, {"round": after.round, **metrics})

    def _question(self, state: Answers) -> Question:
        return self._questions[min(state.round, len(self._questions) - 1)]
