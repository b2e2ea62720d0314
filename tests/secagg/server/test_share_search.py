"""Beyond the radius of the code: found where it can be afforded, and never more than that."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secagg.errors import RemoteProtocolError
from secagg.graph import Complete
from secagg.server import share_search
from secagg.server.neighbourhoods import Neighbourhoods
from secagg.server.recovery import ShareTable
from secagg.server.share_search import Budget, search
from secagg.sharing.field import Field, P
from secagg.sharing.shamir import DIGITS, lagrange_at_zero, split, to_digits
from tests.helpers.strategies import CounterRand

SECRET = bytes(range(32))


def dealt(m: int, t: int, wrong: list[int]) -> tuple[Field, Field]:
    """The holders' coordinates and their shares of SECRET, those of `wrong` off in one digit."""
    xs = np.arange(1, m + 1)
    shares = split([SECRET], t, xs, CounterRand(b"dealer"))[:, 0]
    for holder in wrong:
        shares[holder, holder % DIGITS] = (shares[holder, holder % DIGITS] + 1 + holder) % P
    return xs, shares


def is_secret(digits: object) -> bytes | None:
    return SECRET if digits == to_digits(SECRET) else None


@given(st.integers(1, 6), st.integers(0, 4), st.data())
def test_any_t_right_shares_are_found_and_the_others_told(
    t: int, spare: int, data: st.DataObject
) -> None:
    m = t + spare
    wrong = data.draw(st.lists(st.integers(0, m - 1), max_size=spare, unique=True).map(sorted))
    found = search(*dealt(m, t, wrong), t, is_secret, Budget())
    assert found is not None
    secret, told = found
    assert (secret, told.tolist()) == (SECRET, wrong)


def test_one_wrong_share_of_many_is_found_wherever_it_is() -> None:
    found = search(*dealt(700, 699, [690]), 699, is_secret, Budget())
    assert found is not None
    assert found[1].tolist() == [690]


@given(st.lists(st.integers(1, P - 1), min_size=3, max_size=9, unique=True), st.data())
def test_coefficients_without_some_holders_are_those_of_the_others(
    coordinates: list[int], data: st.DataObject
) -> None:
    xs = np.array(coordinates, np.int64)
    gone = data.draw(st.sets(st.integers(0, len(xs) - 1), max_size=len(xs) - 1).map(sorted))
    (coefficients,) = share_search._without(xs, np.array([gone], np.int64))
    assert coefficients[gone].tolist() == [0] * len(gone)
    assert np.delete(coefficients, gone).tolist() == lagrange_at_zero(np.delete(xs, gone)).tolist()


@pytest.mark.parametrize(("m", "t"), [(30, 21), (100, 67), (400, 267)])
def test_what_is_tried_is_bounded_by_work_for_all_searches_together(m: int, t: int) -> None:
    tried: list[object] = []
    budget = Budget(2**21)
    most = 2**21 // (t * DIGITS + share_search._CHECK_WORK)
    for _ in range(20):
        assert search(*dealt(m, t, []), t, tried.append, budget) is None  # nothing is the secret
    assert budget.left >= 0
    assert most / 4 <= len(tried) <= most


def test_a_larger_threshold_gets_fewer_tries() -> None:
    tries = []
    for m, t in ((100, 67), (400, 267), (1000, 667)):
        tried: list[object] = []
        assert search(*dealt(m, t, []), t, tried.append, Budget(2**22)) is None
        tries.append(len(tried))
    assert tries == sorted(tries, reverse=True)
    assert tries[-1] < tries[0] / 2


def test_the_owners_of_a_session_share_its_work() -> None:
    """Two owners whose shares take a search each: there is the work for one of them."""
    m, t, wrong = 9, 8, 3  # one share to spare, which no code corrects with
    one = Budget()
    assert search(*dealt(m, t, [wrong]), t, is_secret, one) is not None
    work = Budget().left - one.left

    def opened(budget: int) -> dict[int, bytes]:
        table = ShareTable.empty(tuple(range(m)), Neighbourhoods.of(Complete(), b"", m))
        table.budget.left = budget
        for owner, liar in enumerate((wrong, wrong + 1)):
            table.shares[owner], table.received[owner] = dealt(m, t, [liar])[1], True
        return table.recover([0, 1], t, lambda _, secret: secret == SECRET)

    assert opened(2 * work) == {0: SECRET, 1: SECRET}
    with pytest.raises(RemoteProtocolError, match="client 1 dealt"):
        opened(work)
