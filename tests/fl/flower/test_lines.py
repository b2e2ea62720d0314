"""What a run says while it is under way."""

import pytest

from fl.flower.lines import Lines


@pytest.fixture
def told():
    """Lines, what they have written, and the clock."""
    written, now, number = [], [0.0], [1]
    return Lines(lambda: number[0], written.append, lambda: now[0]), written, now, number


def test_a_line_when_a_step_is_over(told):
    lines, written, now, _ = told
    for done in range(1, 4):
        now[0] = done
        lines.trained(done, 3)
    for done in range(4):
        lines.summed(1, done, 3)
    assert written == ["round 1: 3 of 3 clients have trained, 2 s", "round 1: shares 3 of 3, 2 s"]


def test_a_line_now_and_then_while_clients_are_awaited(told):
    lines, written, now, _ = told
    for done, now[0] in [(0, 0), (1, 3), (2, 12), (2, 15), (2, 22), (3, 23)]:
        lines.trained(done, 9)
    assert written == [
        "round 1: 2 of 9 clients have trained, 12 s",
        "round 1: 2 of 9 clients have trained, 22 s",
    ]


def test_a_new_step_is_not_late(told):
    lines, written, now, _ = told
    lines.trained(3, 3)
    now[0] = 30.0
    lines.summed(1, 0, 3)
    assert written == ["round 1: 3 of 3 clients have trained, 0 s"]
    now[0] = 40.0
    lines.summed(1, 0, 3)
    assert written[1:] == ["round 1: shares 0 of 3, 40 s"]


def test_who_never_answered_is_seen(told):
    lines, written, now, number = told
    lines.summed(2, 4, 5)
    lines.summed(3, 0, 4)
    assert written == ["round 1: masks 4 of 5, 0 s"]
    number[0], now[0] = 2, 50.0
    lines.trained(1, 1)
    assert written[1:] == ["round 2: 1 of 1 clients have trained, 0 s"]
