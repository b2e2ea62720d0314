"""Who is asked, who is eligible, who drops out; and the simulated fleet."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fl
from fl.population import devices
from fl.population.devices import Fleet, Status, select
from fl.population.sampling import Dropout, Fixed, InTurn, Poisson, Uniform, round_rng

CLIENTS = [f"c{i}" for i in range(40)]


def fleet(**options):
    return Fleet({client: 10 + i for i, client in enumerate(CLIENTS)}, **options)


def test_uniform_asks_different_clients_and_each_alike():
    counts = dict.fromkeys(CLIENTS, 0)
    for number in range(2000):
        asked = Uniform(10).sample(CLIENTS, round_rng(1, number, "sample"))
        assert len(set(asked)) == 10
        for client in asked:
            counts[client] += 1
    # each 500 times on average, with a standard deviation below 20
    assert all(abs(count - 500) < 6 * 20 for count in counts.values())


def test_fewer_clients_than_wanted_are_all_of_them():
    assert sorted(Uniform(50).sample(CLIENTS, round_rng(0, 0, "sample"))) == sorted(CLIENTS)


def test_fixed_asks_the_same_as_far_as_they_are_there():
    assert Fixed(("c3", "c99", "c1")).sample(CLIENTS, round_rng(0, 0, "sample")) == ["c3", "c1"]


def test_poisson_asks_each_on_its_own():
    sizes = [len(Poisson(0.25).sample(CLIENTS, round_rng(2, r, "sample"))) for r in range(2000)]
    # binomial(40, 1/4): mean 10, variance 7.5
    assert np.mean(sizes) == pytest.approx(10, abs=6 * np.sqrt(7.5 / 2000))
    assert np.var(sizes) == pytest.approx(7.5, rel=0.2)
    assert Poisson(1.0).sample(CLIENTS, round_rng(2, 0, "sample")) == CLIENTS


@given(st.integers(1, 45), st.integers(1, 40), st.integers(1, 30), st.integers(0, 99))
def test_in_turn_nobody_is_asked_more_often_than_there_are_passes(count, clients, rounds, seed):
    turns, names = InTurn(count), CLIENTS[:clients]
    of_pass = turns.rounds_of_a_pass(clients)
    asked = [turns.of_round(names, seed, number).clients for number in range(rounds)]
    assert all(len(each) == min(count, clients) for each in asked)
    times = Counter(client for each in asked for client in each)
    assert max(times.values()) <= math.ceil(rounds / of_pass)
    for begun in range(0, rounds - of_pass + 1, of_pass):
        there = [client for each in asked[begun : begun + of_pass] for client in each]
        assert len(set(there)) == len(there)
        # All but the last in the order, who do not fill a cohort.
        assert clients - len(there) == (clients % count if count <= clients else 0)


def test_in_turn_every_pass_has_an_order_of_its_own_and_who_is_not_there_misses_it():
    passes = [
        [select(fleet(), [], InTurn(10), 1, 4 * turn + place).cohort for place in range(4)]
        for turn in range(2)
    ]
    for cohorts in passes:
        assert sorted(client for cohort in cohorts for client in cohort) == sorted(CLIENTS)
    assert set(passes[0][0]) != set(passes[1][0])
    there = [devices.at_least(30)]
    for place, all_of_them in enumerate(passes[0]):
        selection = select(fleet(), there, InTurn(10), 1, place)
        assert set(selection.cohort) == {c for c in all_of_them if int(c[1:]) >= 20}
        assert selection.asked == len(selection.cohort)
    assert len(InTurn(7).sample(CLIENTS, round_rng(0, 0, "sample"))) == 7


@pytest.mark.parametrize(
    "sampler", [Uniform(7), Uniform(7, over=1.5), Poisson(0.3), InTurn(7)], ids=str
)
def test_a_choice_follows_its_seed_and_its_round(sampler):
    one, same, other, later = (
        select(fleet(), [], sampler, seed, number).cohort
        for seed, number in ((1, 0), (1, 0), (2, 0), (1, 1))
    )
    assert one == same
    assert len({one, other, later}) == 3


def test_130_percent_are_asked_and_the_first_10_to_be_ready_take_part():
    selection = select(fleet(), [], Uniform(10, over=1.3), 3, 0)
    assert (len(selection.cohort), selection.asked, selection.eligible) == (10, 13, 40)
    rng = round_rng(3, 0, "arrival")
    asked = Uniform(10, over=1.3).sample(CLIENTS, round_rng(3, 0, "sample"))
    ready = {client: fleet().seconds(client, rng) for client in asked}
    assert list(selection.cohort) == sorted(asked, key=ready.get)[:10]
    assert Uniform(10, over=1.1).sample(CLIENTS, rng)[11:] == []


def test_only_eligible_clients_take_part():
    conditions = [devices.charging, devices.unmetered, devices.idle, devices.at_least(30)]
    statuses = fleet().statuses(0)
    for number in range(40):
        for client in select(fleet(), conditions[3:], Uniform(5), 0, number).cohort:
            assert int(client[1:]) >= 20
    eligible = [c for c in CLIENTS if all(holds(statuses[c]) for holds in conditions)]
    assert 0 < len(eligible) < 20
    assert select(fleet(), conditions, Uniform(40), 0, 0).eligible == len(eligible)
    assert set(select(fleet(), conditions, Uniform(40), 0, 0).cohort) == set(eligible)


def test_where_nobody_is_eligible_there_is_no_round():
    with pytest.raises(fl.errors.TooFewClients, match="0 of 40 are eligible"):
        select(fleet(), [devices.at_least(1000)], Uniform(5), 0, 0)


def test_the_fleet_charges_at_night():
    one_zone = Fleet(dict.fromkeys(CLIENTS, 1), rounds_per_hour=1, seed=4)
    one_zone._zone[:] = 0
    days = np.array(
        [
            [
                sum(s.charging for s in one_zone.statuses(24 * day + hour).values())
                for hour in (3, 15)
            ]
            for day in range(30)
        ]
    )
    # 40 devices: 38 charge at three in the morning, 2 in the afternoon
    assert days.mean(axis=0) == pytest.approx([38, 2], abs=1.5)


def test_a_status_lasts_an_hour():
    statuses = [fleet(rounds_per_hour=4).statuses(number) for number in range(5)]
    assert statuses[0] == statuses[3] != statuses[4]
    assert statuses[0]["c2"].examples == 12


def test_conditions_are_plain_functions_of_a_status():
    status = Status(charging=False, unmetered=True, idle=True, examples=5)
    assert [holds(status) for holds in devices.CONDITIONS.values()] == [False, True, True]
    assert [devices.at_least(n)(status) for n in (5, 6)] == [True, False]


def test_dropout_in_a_session_has_the_probability_asked_for_and_any_round():
    drops = [Dropout.in_session(0.3).draw(CLIENTS, round_rng(0, r, "dropout")) for r in range(500)]
    gone = [number for drop in drops for number in drop.values()]
    # 20 000 clients: the standard deviation of the fraction is 0.0033
    assert len(gone) / 20000 == pytest.approx(0.3, abs=0.02)
    # the risk is the same in each round to those still there: 0.0689, 0.0641, ... of all
    hazard = 1 - 0.7**0.2
    expected = [hazard * (1 - hazard) ** i for i in range(5)]
    assert np.bincount(gone) / 20000 == pytest.approx(expected, abs=0.012)


def test_dropout_in_one_round_and_of_one_client():
    late = (0.0, 0.0, 0.0, 1.0, 0.0)
    drop = Dropout(clients={"c5": late})
    assert drop.draw(["c1", "c5", "c9"], round_rng(0, 0, "dropout")) == {1: 3}
    assert Dropout.in_session(1).draw(["a", "b"], round_rng(0, 0, "dropout")) == {0: 0, 1: 0}
    assert Dropout.in_session(0).draw(CLIENTS, round_rng(0, 0, "dropout")) == {}


IMPOSSIBLE = [
    lambda: Uniform(0),
    lambda: Uniform(5, over=0.9),
    lambda: InTurn(0),
    lambda: Poisson(0),
    lambda: Poisson(1.1),
    lambda: Dropout((0.1, 0.2)),
    lambda: Dropout((0, 0, 0, 0, 2.0)),
    lambda: Dropout.in_session(-0.1),
    lambda: fleet(rounds_per_hour=0),
]


@pytest.mark.parametrize("make", IMPOSSIBLE)
def test_numbers_out_of_range_are_refused(make):
    with pytest.raises(fl.errors.AggregationError, match="expected"):
        make()
