"""`Params.choose` makes parameters that `Params` accepts and a session can run with."""

from dataclasses import replace

import numpy as np
import pytest

import secagg
from secagg.graph import CuriousOnlyHarary, graph_of
from secagg.parameters import choose, choose_curious_only

SPECS = [secagg.VectorSpec("x", 2, 32)]


@pytest.mark.parametrize(
    ("n", "graph"),
    [(40, "auto"), (40, "harary"), (1000, "auto"), (10_000, "auto"), (65_520, "auto")],
)
def test_what_is_chosen_is_accepted(n: int, graph: str) -> None:
    wish = {"corrupt": 0.05, "dropout": 0.1, "graph": graph}
    choice = choose(n, **wish)
    params = secagg.Params.choose(n, SPECS, **wish)
    assert (params.t, params.corrupt) == (choice.t, choice.corrupt)
    assert params.min_roster == choice.min_roster
    assert params.min_survivors == choice.min_survivors


def test_what_is_chosen_for_a_curious_server_is_accepted_under_a_name_that_says_so() -> None:
    choice = choose_curious_only(40, corrupt=0.05, dropout=0.1)
    graph = graph_of(choice)
    assert graph == CuriousOnlyHarary(choice.k)
    params = secagg.Params(40, SPECS, t=choice.t, corrupt=choice.corrupt, graph=graph)
    inputs = {u: np.array([u, 1], np.uint32) for u in range(40)}
    assert secagg.run(params, inputs).sum.tolist() == [sum(range(40)), 40]
    with pytest.raises(
        secagg.LocalProtocolError, match=rf"t={choice.t} for corrupt=.*, expected one in"
    ):
        replace(params, graph=secagg.Harary(choice.k))  # for an active server it is too little


def test_one_less_than_the_chosen_threshold_is_refused() -> None:
    chosen = secagg.Params.choose(1000, SPECS, corrupt=0.05, dropout=0.1)
    assert (chosen.graph, chosen.t) == (secagg.Harary(156), 118)
    with pytest.raises(
        secagg.LocalProtocolError, match=r"t=117 for corrupt=\d+, expected one in 118\.\.k=156"
    ):
        secagg.Params(
            1000, SPECS, t=117, corrupt=50, graph=chosen.graph, min_roster=chosen.min_roster
        )


@pytest.mark.parametrize("graph", ["harary", "complete"])
def test_parameters_say_how_likely_they_leak_as_their_choice_does(graph: str) -> None:
    wish = {"corrupt": 0.05, "dropout": 0.1, "graph": graph}
    assert secagg.Params.choose(1000, SPECS, **wish).leak == choose(1000, **wish).leak
    assert secagg.Params.choose(1000, SPECS, **wish).graph.neighbours(1000) in (156, 999)


def test_of_the_curious_rule_they_say_what_does_not_depend_on_who_drops() -> None:
    choice = choose_curious_only(200, corrupt=0.05, dropout=0.1)
    params = secagg.Params(
        200, SPECS, t=choice.t, corrupt=choice.corrupt, graph=graph_of(choice), min_roster=200
    )
    assert params.leak == choice.bounds[1].met <= choice.leak


def test_another_rule_is_another_session() -> None:
    """The graph says what it was chosen for, and the digest says the graph."""
    graphs = [
        secagg.Harary(4),
        secagg.Harary(4, privacy_bits=41),
        secagg.Harary(4, grinding_bits=65),
        CuriousOnlyHarary(4),
    ]
    digests = {
        secagg.Params(9, SPECS, t=4, corrupt=0, graph=graph, session=bytes(16)).digest(b"d")
        for graph in graphs
    }
    assert len(digests) == 4


def test_a_chosen_ring_survives_the_dropouts_it_was_chosen_for() -> None:
    params = secagg.Params.choose(60, SPECS, corrupt=0.05, dropout=0.1, graph="harary")
    inputs = {u: np.array([u, 1], np.uint32) for u in range(60)}
    gone = {5: 0, 15: 1, 25: 2, 35: 2, 45: 3, 55: 4}
    result = secagg.run(params, inputs, drop=gone)
    assert result.survivors == tuple(u for u in range(60) if gone.get(u, 5) > 2)
    assert result.sum.tolist() == [sum(result.survivors), len(result.survivors)]
