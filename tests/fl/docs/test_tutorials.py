"""The tutorials run offline on the digits that come with scikit-learn, each at small size.

What they print of the secure and of the plain sum agrees to the third digit, in every round.
"""

import importlib
import re
from pathlib import Path

import keras
import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "examples" / "tutorials"
HELPERS = {"arguments", "figures", "side_by_side", "writers"}
ROW = re.compile(r"^ +\d+ +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)$", re.MULTILINE)


@pytest.fixture
def tutorial(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


@pytest.mark.parametrize("name", ["three_clients", "kuzushiji", "fine_tuning"])
def test_secure_beside_plain(tutorial, name, capsys):
    tutorial(name).main(["--rounds", "2"])
    printed = capsys.readouterr().out
    rows = np.array(ROW.findall(printed), float)
    assert len(rows) == (4 if name == "fine_tuning" else 2)
    np.testing.assert_allclose(rows[:, [0, 2]], rows[:, [1, 3]], atol=5e-4)
    assert rows[1, 0] < rows[0, 0]
    assert printed.count("secure and plain differ in no round by more than") == len(rows) // 2


def test_kuzushiji_in_the_order_of_tensorflow_datasets(tutorial, capsys):
    """The first and last of the 60 000 that tensorflow_datasets 4.9.10 itself wrote."""
    script = tutorial("kuzushiji")
    order = script.tfds_order(60_000)
    assert (order[:4], order[-3:]) == ([16399, 1680, 47917, 17307], [39601, 32842, 50006])
    losses = []
    for argv in ([], ["--tfds-order"]):
        losses.append(script.main(["--rounds", "1", *argv])["loss"])
    assert losses[0] != losses[1]
    assert "dealt in tensorflow_datasets' order to 10 clients" in capsys.readouterr().out


def test_image_classification_and_its_events(tutorial, capsys, tmp_path):
    script, curves = tutorial("image_classification"), tutorial("event_curves")
    told = []
    for how in ("secure", "plain"):
        script.main(["--rounds", "2", "--sum", how, "--logdir", str(tmp_path / how)])
        told.append(re.findall(r"(?:loss|accuracy) ([\d.]+)", capsys.readouterr().out))
    secure, plain = np.array(told, float)
    assert len(secure) == 6
    np.testing.assert_allclose(secure, plain, atol=5e-4)
    found = curves.main([str(tmp_path / "secure")])
    np.testing.assert_allclose(found["train/loss"], secure[[0, 2]], atol=1e-4)
    assert "train/loss                               2 rounds, the last" in capsys.readouterr().out


def test_three_clients_are_known_by_heart(tutorial, monkeypatch):
    """The page's 50 rounds, in fewer steps: the loss goes where it says."""
    script = tutorial("three_clients")
    monkeypatch.setattr(script, "NUM_EPOCHS", 100)
    assert script.main(["--rounds", "5"])["loss"] < 0.03


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--rounds", "0"], "0, expected a whole number from 1"),
        (["--rounds", "-1"], "-1, expected a whole number from 1"),
        (["--figure", "nowhere/x.png"], "nowhere/x.png is in no folder, expected one"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said_before_the_training(tutorial, words, told, capsys):
    with pytest.raises(SystemExit):
        tutorial("kuzushiji").main(words)
    assert told in capsys.readouterr().err


def test_data_that_are_not_there_are_one_line(tutorial, tmp_path):
    with pytest.raises(SystemExit) as ended, tutorial("arguments").told():
        tutorial("kuzushiji").main(["--data-dir", str(tmp_path)])
    assert str(ended.value).startswith(f"there is no mnist.npz in {tmp_path}: it is published at")


def test_temperatures(tutorial):
    assert tutorial("temperatures").main([]) == 65.55


def test_salaries(tutorial, capsys):
    assert tutorial("salaries").main([]) == 65410.0
    printed = capsys.readouterr().out
    assert "their sum 327050, mean 65410.00" in printed
    assert "4 of 5 finish: sum 266750, mean 66687.50" in printed


def test_own_copies_are_better_at_home_and_go_on(tutorial, monkeypatch, capsys, tmp_path):
    script = tutorial("personal")
    labels = []
    monkeypatch.setattr(script, "KEEPERS", 8)
    monkeypatch.setattr(script.figures, "scatter", lambda *given: labels.append(given[-2]))
    command = ["--rounds", "2", "--keep", str(tmp_path), "--figure", "personal.png"]
    first, last = script.main(command)
    assert last > first
    after_five = kept_weights(tmp_path, 5)
    again, _ = script.main(command)
    assert again == pytest.approx(last, abs=1e-6)
    assert "own copies, 10 epochs at home" in capsys.readouterr().out
    after_ten = kept_weights(tmp_path, 10)
    assert len(after_five) == len(after_ten) == 8
    for client, weights in after_ten.items():
        assert not np.allclose(weights, after_five[client])
    assert labels == ["accuracy of the common model", "accuracy of the copy as it was kept"]


def kept_weights(folder, epochs):
    """{client: the numbers of the model that it kept after so many epochs}."""
    return {
        path.stem.split(".")[0]: keras.saving.load_model(path).get_weights()[0]
        for path in folder.glob(f"client-*.{epochs:03d}.keras")
    }


def test_pictures(tutorial, tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("temperatures", "salaries"):
        tutorial(name).main(["--figure", str(tmp_path / f"{name}.png")])
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_every_script_has_a_page_and_every_page_its_output_and_pictures():
    pages = list((ROOT / "docs" / "tutorials").glob("*.md"))
    told = "".join(page.read_text("utf-8") for page in pages)
    scripts = {path.stem for path in FOLDER.glob("*.py")} - HELPERS
    assert scripts == set(re.findall(r"<!-- printed by: python examples/tutorials/(\w+)\.py", told))
    pictures = re.findall(r"!\[[^\]]{20,}\]\((\S+?\.png)\)", told)
    assert set(pictures) == {path.name for path in (ROOT / "docs" / "tutorials").glob("*.png")}
    assert len(pictures) == len(pages) - 1  # one for each page but the first
    for name in pictures:
        assert (ROOT / "docs" / "tutorials" / name).stat().st_size < 60_000


def test_the_command_stands_above_what_it_printed():
    """A comment is not seen on a page; a picture is drawn for the page alone."""
    pages = [*(ROOT / "docs" / "tutorials").glob("*.md"), *(ROOT / "docs").glob("from-*.md")]
    told = "".join(page.read_text("utf-8") for page in pages)
    commands = re.findall(r"<!-- printed by[^:\n]*: (python .*?) -->", told)
    assert len(commands) > 12
    for command in commands:
        seen = re.sub(r" --figure \S+", "", command)
        assert re.search(
            rf"```\n{re.escape(seen)}\n```\n\n<!-- printed by[^:\n]*: {command} -->", told
        )
