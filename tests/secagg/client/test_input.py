"""A client whose input comes later: once, before round 2; then it is a client like any other."""

import numpy as np
import pytest

import secagg
from secagg.errors import LocalProtocolError
from tests.helpers.hosts import Host
from tests.helpers.party import Party

LATE = 30


def without_input() -> tuple[Party, secagg.Client]:
    """A session in which LATE begins without an input."""
    party = Party(5)
    party.clients[LATE] = secagg.Client(
        LATE, party.params, None, signing_key=party.keys[LATE], directory=party.directory
    )
    return party, party.clients[LATE]


@pytest.mark.parametrize("round", [-1, 0, 1])
def test_the_sum_is_the_same_whenever_the_input_comes(round: int) -> None:
    party, late = without_input()
    party.after(round)
    late.provide_input({"x": party.inputs[LATE]})
    assert party.finish().sum.tolist() == party.expected(tuple(party.ids))


def test_round_2_waits_for_the_input() -> None:
    party, late = without_input()
    party.after(1)
    with pytest.raises(LocalProtocolError, match=r"without an input, expected provide_input"):
        late.receive(party.outbox[LATE])
    assert late.state == "Shared"
    late.provide_input(party.inputs[LATE])
    assert party.finish().survivors == tuple(party.ids)


@pytest.mark.parametrize("round", range(-1, 5))
def test_no_client_is_given_a_second_input(round: int) -> None:
    party, late = without_input()
    late.provide_input(party.inputs[LATE])
    party.after(round)
    for u in (10, LATE):
        with pytest.raises(LocalProtocolError, match="expected one that was made without"):
            party.clients[u].provide_input(np.zeros(3, np.uint16))
    party.after(4)
    assert party.server.result.sum.tolist() == party.expected(tuple(party.ids))


def test_an_input_that_does_not_fit_leaves_the_client_as_it_was() -> None:
    party, late = without_input()
    party.after(0)
    with pytest.raises(LocalProtocolError, match=r"uint16\[2\], expected uint16\[3\]"):
        late.provide_input(np.zeros(2, np.uint16))
    late.provide_input(party.inputs[LATE])
    assert party.finish().survivors == tuple(party.ids)


def test_a_client_restored_from_before_its_input_is_given_it_again() -> None:
    party = Party(5)
    late, party.inputs[LATE] = party.inputs[LATE], None  # type: ignore[assignment]
    host = Host(party, LATE)
    party.clients[LATE], party.inputs[LATE] = host.client, late
    party.after(0)
    host.client.provide_input(late)
    host.restart()
    party.clients[LATE] = host.client
    host.client.provide_input(late)
    assert party.finish().sum.tolist() == party.expected(tuple(party.ids))
