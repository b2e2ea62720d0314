"""Streams of randomness: those of different things are different, whatever the numbers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fl import seeds
from fl.experiment.settings import RunOptions, Settings
from fl.experiment.training import Training

words = st.tuples(
    st.sampled_from(["client/shuffle", "round/sample", "round/samp", ""]),
    st.lists(st.sampled_from([0, 1, 2, 2**32 - 1, 2**32, 2**64 + 1]), max_size=5),
)


def drawn(purpose, numbers):
    return seeds.sequence(purpose, *numbers).generate_state(4).tolist()


@given(words, words)
def test_two_streams_are_one_only_where_they_are_told_the_same(one, two):
    assert (drawn(*one) == drawn(*two)) == (one == two)


def test_numbers_that_end_in_zeros_or_are_long_are_told_apart():
    # numpy's own sequences are not: of both pairs the first is the second.
    alike = [((3,), (3, 0, 0, 0)), ((5 + 2**32, 0), (5, 1, 0))]
    for one, two in alike:
        states = [np.random.SeedSequence(t).generate_state(4).tolist() for t in (one, two)]
        assert states[0] == states[1]
        assert drawn("", one) != drawn("", two)


def test_in_a_whole_training_no_two_streams_coincide(tmp_path, monkeypatch):
    begun = {}

    def sequence(*told):
        source = original(*told)
        begun.setdefault(tuple(source.generate_state(4)), set()).add(told)
        return source

    original = seeds.sequence
    monkeypatch.setattr(seeds, "sequence", sequence)
    settings = Settings(
        clients=4, clients_per_round=3, model="softmax", over_selection=1.3, dropout=0.1, rounds=2
    )
    list(Training(settings, RunOptions(run_dir=tmp_path)))
    assert all(len(told) == 1 for told in begun.values())
    purposes = {purpose for told in begun.values() for purpose, *_ in told}
    assert purposes == {
        *("digits/split", "partition/iid", "fleet", "fleet/hour"),
        *("round/sample", "round/arrival", "round/dropout"),
        *("client/shuffle", "client/layers", "client/rounding", "client/evaluation"),
    }


def test_a_clients_streams_follow_from_all_that_they_are_told():
    told = [
        (s, r, c, k) for s in (0, 1) for r in (0, 1) for c in (0, 1) for k in ("shuffle", "layers")
    ]
    states = {tuple(seeds.of_client(*each).generate_state(4)) for each in told}
    assert len(states) == len(told)
