"""Pictures rebuilt from plain updates, and noise from masked ones."""

import json
from itertools import product

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fl.aggregators.observed import Observed
from fl.cli import app
from fl.cli.leak import Leaking
from fl.errors import DataError
from fl.leak import attacks, picture, study
from fl.leak.network import Network
from fl.leak.study import Attempt, Images, Plan

RNG = np.random.default_rng(0)
TINY = Images(RNG.uniform(size=(40, 16)).astype("f4"), np.arange(40) % 3, (4, 4))
SMALL = Plan(sums=(2,), steps=(2,), trials=1)


def small(activation="relu", **changes):
    return Network(activation, pixels=16, hidden=24, classes=3, **changes)


def update_of(network, pictures, labels, steps=1):
    """The update of one client with these pictures, without a session."""
    x = tf.constant(np.asarray(pictures, np.float64)[None])
    one_hot = tf.constant(np.eye(3)[labels][None])
    return network.update(study.network_weights(network), x, one_hot, steps).numpy()


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_the_network_an_attacker_computes_is_the_one_that_clients_train(activation):
    network, rows = small(activation), np.arange(6).reshape(3, 2)
    observed = study.session(network, TINY, rows, steps=3)
    labels = tf.constant(np.eye(3)[TINY.y[rows]])
    x = tf.constant(TINY.x[rows].astype(np.float64))
    weights = study.network_weights(network)
    np.testing.assert_allclose(
        observed.mean, network.update(weights, x, labels, 3), atol=2e-6, rtol=0
    )
    one = network.update(weights, x[:1], labels[:1], 3)
    np.testing.assert_allclose(observed.true_update, one, atol=2e-7, rtol=0)


@settings(max_examples=15)
@given(
    picture=arrays(np.float64, 16, elements=st.floats(0, 1)),
    label=st.integers(0, 2),
    steps=st.integers(1, 3),
)
def test_the_first_layer_gives_any_picture_away_whatever_the_local_steps(picture, label, steps):
    candidates = attacks.first_layer(small(), update_of(small(), [picture], [label], steps))
    if not candidates.any():  # a picture that moves no unit, such as a black one
        return
    value, _, _ = attacks.nearest(candidates, [picture])
    assert value > 80


def test_of_two_pictures_that_move_a_unit_the_first_layer_gives_a_blend():
    network = small("sigmoid")  # every unit is moved by both
    dark, bright = np.full(16, 0.2), np.full(16, 0.8)
    candidates = attacks.first_layer(network, update_of(network, [dark, bright], [0, 1]))
    assert attacks.nearest(candidates, [dark])[0] < 40
    assert np.allclose(candidates, candidates[:, :1])  # of flat pictures, flat ones


def test_an_update_of_zeros_gives_nothing():
    assert not attacks.first_layer(small(), np.zeros(483)).any()


def test_psnr_by_hand():
    assert attacks.psnr(np.zeros(4), np.full(4, 0.1)) == pytest.approx(20)
    assert attacks.psnr(np.ones(4), np.zeros(4)) == 0
    assert attacks.psnr(np.ones(4), np.ones(4)) == 120


def test_the_nearest_is_the_best_pair_of_candidate_and_truth():
    candidates, truths = np.array([[0.0, 0.0], [0.9, 1.0]]), np.array([[0.4, 0.5], [1.0, 1.0]])
    value, found, which = attacks.nearest(candidates, truths)
    assert value == attacks.psnr(candidates[1], truths[1])
    assert (list(found), which) == ([0.9, 1.0], 1)
    assert attacks.nearest(candidates[::-1], truths[::-1])[2] == 0


@pytest.fixture(scope="module")
def tried():
    """Both attacks, with two local steps."""
    counted = []
    found = list(study.attempts(SMALL, TINY, lambda done, total: counted.append((done, total))))
    assert counted == [(done, SMALL.attempts) for done in range(SMALL.attempts + 1)]
    return found


def test_a_plain_update_is_the_picture_and_a_masked_one_is_noise(tried):
    best, guess = study.medians(tried), study.blind(SMALL, TINY)
    assert best["plain update", "first layer", 2] > 60
    assert best["plain update", "matching", 2] > guess + 15
    # up to 64 candidates of noise: no more than a little above a guess without any update
    for attack in ("first layer", "matching"):
        assert best["masked update", attack, 2] < guess + 3


def test_matching_goes_on_until_the_pictures_of_a_sum_are_seen():
    """With the tolerance of scipy's own it ends here at 8 to 25 dB."""
    network, x, labels = small("sigmoid"), TINY.x[:4].astype(np.float64), np.eye(3)[TINY.y[:4]]
    weights = study.network_weights(network)
    mean = network.update(weights, tf.constant(x[:, None]), tf.constant(labels[:, None]), 1)
    how = {"clients": 4, "pictures": 1, "steps": 1, "rng": np.random.default_rng(0)}
    rebuilt = attacks.matching(network, weights, mean.numpy(), **how)
    assert all(attacks.nearest(rebuilt, picture[None])[0] > 30 for picture in x)


def test_the_words_under_masks_are_those_that_the_client_sent(tried):
    observed = study.session(small(), TINY, np.arange(2).reshape(2, 1), 1)
    numbers = study.as_numbers(observed)
    assert observed.masked.dtype == np.uint32
    ratio = numbers / observed.masked.astype(np.int32)
    np.testing.assert_allclose(ratio, ratio[0])
    assert np.linalg.norm(numbers) == pytest.approx(np.linalg.norm(observed.true_update))


def test_the_command_prints_and_draws_and_says_the_same_as_json(
    tried, tmp_path, capsys, monkeypatch
):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(Leaking, "plan", lambda self: SMALL)
    monkeypatch.setattr(Images, "of", lambda name, data_dir: TINY)
    monkeypatch.setattr(study, "attempts", lambda plan, images, count: iter(tried))
    monkeypatch.setenv("COLUMNS", "100")
    path = tmp_path / "leak.png"
    assert app.run(["leak", "--output", str(path)]) == 0
    shown = capsys.readouterr().out
    assert path.read_bytes().startswith(b"\x89PNG")
    assert app.run(["leak", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert len(said["psnr"]) == len(said["median_psnr"]) == SMALL.attempts
    for each in said["median_psnr"]:
        assert each["psnr"] > 100 or f"{each['psnr']:.1f}" in shown
    assert ">100" in shown
    assert "sum of 2" in shown


def test_each_cell_of_the_picture_has_its_own_truth_above_what_was_rebuilt(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    names = [*product(SMALL.seen, study.ACTIVATIONS)]
    of = [
        Attempt(seen, attack, 2, trial, 10.0 + i, np.full(16, i), np.full(16, -i))
        for trial in (0, 1)
        for i, (seen, attack) in enumerate(names, 100 * trial)
    ]
    shown = []
    monkeypatch.setattr(
        picture,
        "_show",
        lambda axis, numbers, title="": shown.append((numbers[0, 0], title.split("\n")[-1])),
    )
    picture.draw(SMALL, TINY, of, tmp_path / "leak.png")
    expected = []
    for attack in study.ACTIVATIONS:
        for i in (names.index((seen, attack)) for seen in SMALL.seen):
            expected += [(-i, f"{10.0 + i} dB"), (i, "")]
    assert shown == expected


REFUSED = {
    "no picture": (["--output", "leak.txt"], "expected a name that ends in .png, .svg, .pdf"),
    "a folder": (["--output", "no/leak.png"], "is a folder or in none, expected a file"),
    "too few": (["--pictures", "100"], "1438 pictures, expected 3200 for all clients"),
    "no grey pictures": (["--dataset", "cifar10"], "'cifar10', expected digits, mnist, fash"),
    "one step": (["--local-steps", "1"], "--local-steps"),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_given_wrong_is_one_line_and_exit_code_2(words, said, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert app.run(["leak", *words]) == 2
    seen = capfd.readouterr().err
    assert said in seen
    assert seen.count("\n") == 1


def test_pictures_in_colour_are_refused(monkeypatch):
    colour = (np.zeros((3, 4, 4, 3), "f4"), np.zeros(3, np.int64))
    monkeypatch.setattr(study, "load", lambda name, data_dir: (colour, colour))
    with pytest.raises(DataError, match="cifar10 has no grey pictures in one place, expected"):
        Images.of("cifar10", None)


@pytest.fixture
def stubbed(monkeypatch):
    """Sessions that see nothing and attacks that find one picture; what they were given."""
    given = []
    seen = Observed(0, 32, np.ones(483), np.ones(483, np.uint32), np.zeros(483))

    def session(network, images, rows, steps):
        given.append((tuple(study.network_weights(network)[:9]), *rows.ravel()))
        return seen

    def matching(*_, rng, **__):
        given.append(rng.uniform())
        return TINY.x[:1]

    monkeypatch.setattr(study, "session", session)
    monkeypatch.setattr(attacks, "first_layer", lambda *_: TINY.x[:1])
    monkeypatch.setattr(attacks, "matching", matching)
    return given


def test_trials_share_nothing_with_each_other_nor_with_those_of_another_seed(stubbed):
    for seed in (0, 1):
        plan = Plan(sums=(2,), steps=(1,), trials=2, seed=seed)
        list(study.attempts(plan, TINY, lambda done, total: None))
    sessions = [each for each in stubbed if isinstance(each, tuple)]
    relu = sessions[::2]  # of the two attacks
    assert len({weights for weights, *_ in relu}) == len({tuple(rows) for _, *rows in relu}) == 4
    assert len({each for each in stubbed if isinstance(each, float)}) == 4


def test_of_a_sum_anybody_in_it_may_be_the_one_that_is_shown(stubbed, monkeypatch):
    """The attacks find the first picture of all; it is the second client's."""
    monkeypatch.setattr(study, "_drawn", lambda *_: np.arange(3)[::-1].reshape(3, 1))
    plan = Plan(sums=(2, 3), steps=(1,), trials=1)
    found = {
        each.seen: (each.psnr, list(each.truth))
        for each in study.attempts(plan, TINY, lambda done, total: None)
    }
    apart = attacks.psnr(TINY.x[0], TINY.x[2])
    assert list(found) == plan.seen
    for name in ("plain update", "masked update", "sum of 2", "sum of 3"):
        assert found[name] == (apart, list(TINY.x[2]))
    assert found["sum of 2, anybody"][0] == max(apart, attacks.psnr(TINY.x[0], TINY.x[1]))
    assert found["sum of 3, anybody"] == (120, list(TINY.x[0]))


def test_the_guess_without_an_update_is_the_median_of_the_trials(monkeypatch):
    flat = Images(np.repeat(np.float32([[0.1], [0.2], [0.9]]), 16, 1), np.arange(3), (4, 4))
    rows = {0: [[0], [1]], 1: [[1], [2]], 2: [[2], [0]]}
    monkeypatch.setattr(study, "_drawn", lambda plan, images, trial: np.array(rows[trial]))
    # the mean is 0.4: it is 0.3, 0.2 and 0.5 apart of the victims'
    guess = study.blind(Plan(sums=(2,)), flat)
    assert guess == pytest.approx(-20 * np.log10(0.3), abs=1e-4)
    of_two = study.blind(Plan(sums=(2,)), flat, 2)  # 0.2, 0.2 and 0.3
    assert of_two == pytest.approx(-20 * np.log10(0.2), abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sums": ()}, r"sums is \(\), expected at least one number, and each once"),
        ({"sums": (2, 2)}, r"sums is \(2, 2\), expected at least one number, and each once"),
        ({"sums": (8, 1)}, "one of sums is 1, expected a whole number of at least 2"),
        ({"steps": ()}, r"steps is \(\), expected at least one number"),
        ({"steps": (0,)}, "one of steps is 0, expected a whole number of at least 1"),
        ({"pictures": 1.5}, "pictures is 1.5, expected a whole number of at least 1"),
        ({"trials": 0}, "trials is 0, expected a whole number of at least 1"),
        ({"seed": -1}, "seed is -1, expected a whole number of at least 0"),
    ],
)
def test_a_plan_of_other_numbers_is_refused(changes, said):
    with pytest.raises(DataError, match=said):
        Plan(**changes)


def test_the_median_is_over_trials():
    picture = np.zeros(4)
    of = [
        Attempt("a", "matching", 1, i, value, picture, picture) for i, value in enumerate([1, 9, 2])
    ]
    assert study.medians(of) == {("a", "matching", 1): 2}
