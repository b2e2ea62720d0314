"""`Params.choose` makes parameters that `Params` accepts and a session can run with."""

import numpy as np
import pytest

import secagg
from secagg.parameters import choose

SPECS = [secagg.VectorSpec("x", 2, 32)]


@pytest.mark.parametrize(
    ("n", "graph", "adversary"),
    [(40, "auto", "active"), (40, "harary", "active"), (40, "auto", "curious"),
     (1000, "auto", "active"), (10_000, "auto", "active"), (65_520, "auto", "active")],
)  # fmt: skip
def test_what_is_chosen_is_accepted(n: int, graph: str, adversary: str) -> None:
    wish = {"corrupt": 0.05, "dropout": 0.1, "graph": graph, "adversary": adversary}
    choice = choose(n, **wish)
    params = secagg.Params.choose(n, SPECS, **wish)
    assert (params.t, params.corrupt) == (choice.t, choice.corrupt)
    assert params.min_roster == choice.min_roster
    assert params.min_survivors == choice.min_survivors


def test_one_less_than_the_chosen_threshold_is_refused() -> None:
    chosen = secagg.Params.choose(1000, SPECS, corrupt=0.05, dropout=0.1)
    assert (chosen.graph, chosen.t) == (secagg.Harary(156), 118)
    with pytest.raises(secagg.LocalProtocolError, match=r"t=117 is not in 118\.\.k=156"):
        secagg.Params(
            1000, SPECS, t=117, corrupt=50, graph=chosen.graph, min_roster=chosen.min_roster
        )


def test_a_weaker_rule_is_another_session() -> None:
    """The graph says what it was chosen for, and the digest says the graph."""
    graphs = [
        secagg.Harary(4),
        secagg.Harary(4, privacy_bits=30),
        secagg.Harary(4, grinding_bits=0),
        secagg.Harary(4, adversary="curious"),
    ]
    digests = {
        secagg.Params(9, SPECS, t=4, corrupt=0, graph=graph, session=b"s").digest(b"d")
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
