"""Pictures rebuilt from plain updates, and noise from masked ones."""

import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fl.cli import app
from fl.cli.leak import Leaking
from fl.errors import DataError
from fl.leak import attacks, study
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


def test_the_median_is_over_trials():
    picture = np.zeros(4)
    of = [
        Attempt("a", "matching", 1, i, value, picture, picture) for i, value in enumerate([1, 9, 2])
    ]
    assert study.medians(of) == {("a", "matching", 1): 2}
