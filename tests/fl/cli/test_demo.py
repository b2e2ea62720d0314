"""The `fl` command and its demonstration."""

import io
import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from rich.console import Console

import fl
from fl.cli import app
from fl.cli import demo_render as render
from fl.cli.demo_report import runs_of
from fl.cli.demo_settings import Settings
from fl.cli.demo_side_by_side import Demo


def fresh_interpreter(code, **environment):
    """Run code in a new Python; its (exit code, stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def played():
    """The demonstration's first three rounds, for two seeds: (settings, rows, comparison)."""
    demos = [(settings, Demo(settings)) for settings in (Settings(1, 3), Settings(2, 3))]
    return [(settings, list(demo), demo.comparison) for settings, demo in demos]


def test_the_first_rounds_difference_is_within_the_bound_beside_it(played):
    for _, _, seen in played:
        assert 0 < seen.first_difference <= seen.bound < 1e-5


def test_both_sides_learn_from_the_same_survivors(played):
    for _, rows, seen in played:
        assert seen.secure_accuracy > 0.8
        assert abs(seen.secure_accuracy - seen.plain_accuracy) < 0.02
        for row in rows:
            assert len(row.metrics["aggregator"]["dropped"]) == 2
            assert row.metrics["aggregator"]["clipped"] == 0


def test_a_masked_vector_fills_the_ring_and_the_update_does_not(played):
    for _, _, seen in played:
        true, masked = seen.observed.true_update, seen.observed.masked
        assert masked.dtype == np.uint32
        assert masked.shape == true.shape == (64 * 64 + 64 + 64 * 10 + 10,)
        # 4810 words in 16 bins: 301 on average, with a standard deviation of 17
        counts, _ = np.histogram(masked, 16, (0, 2**32))
        assert (abs(counts - 301) < 6 * 17).all()
        assert np.abs(true).max() < 1


def test_the_demonstration_follows_its_seed(played):
    settings, rows, seen = played[0]
    again = Demo(settings)
    assert [row.plain_accuracy for row in again] == [row.plain_accuracy for row in rows]
    assert again.comparison.final_difference == seen.final_difference
    masked = again.comparison.observed.masked
    assert not np.array_equal(masked, seen.observed.masked)  # keys follow no seed


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_rows_and_the_histograms_show_every_number(played, width):
    settings, rows, seen = played[0]
    screen = io.StringIO()
    console = Console(width=width, file=screen)
    lines = [render.head(settings, width), *(render.line(row, width) for row in rows)]
    console.print(render.comparison(seen))
    shown = "\n".join([*lines, screen.getvalue()])
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    words = shown.split()
    for row in rows:
        for entry in render.dropped(row.metrics["aggregator"]["dropped"]).split():
            assert entry in words
        for number in (row.secure_accuracy, row.metrics["client_work"]["train"]["loss"]):
            assert f"{number:.4f}" in words
    for number in (seen.first_difference, seen.final_difference):
        assert f"{number:.3g}" in words
    assert f"{seen.bound:.3g})" in words
    true = seen.observed.true_update
    counts, _ = np.histogram(true, render.BINS, render.span(true))
    assert all(str(count) in words for count in counts)


def test_who_dropped_where():
    entries = [{"client": 3, "round": 2}, {"client": 7, "round": 4}]
    assert render.dropped(entries) == "3@2, 7@4+"
    assert render.dropped([]) == "nobody"


@pytest.mark.parametrize(("count", "text"), [(0, ""), (8, "█" * 18), (4, "█" * 9), (1, "██▎")])
def test_bars(count, text):
    assert render.bar(count, 8) == text


def test_the_page_has_both_sides_as_runs_that_differ_in_the_sum(played):
    settings, rows, seen = played[0]
    secure, plain = runs_of(settings, rows, seen)
    assert secure.is_the_same_but_for_the_sum(plain)
    assert [line["eval"]["accuracy"] for line in plain.rounds] == [r.plain_accuracy for r in rows]
    assert sum(secure.seen["masked"]["counts"]) == seen.observed.masked.size
    assert plain.seen is None


def test_what_json_tells(capsys, tmp_path):
    page = ["--report", str(tmp_path / "page.html")] if find_spec("plotly") else []
    words = ["demo", "--rounds", "1", "--clients", "4", "--dropouts", "1", "--json", *page]
    assert app.run(words) == 0
    assert (
        not page
        or "secure and plain, whose settings differ" in (tmp_path / "page.html").read_text()
    )
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {"test_accuracy", "max_weight_difference", "bound", "rounds"}
    assert set(result["test_accuracy"]) == {"secure", "plain"}
    assert set(result["max_weight_difference"]) == {"round_1", "final"}
    assert result["rounds"] == 1
    assert result["max_weight_difference"]["round_1"] <= result["bound"]


MISTAKES = {
    "no rounds": (["demo", "--rounds", "0"], "--rounds"),
    "not a number": (["demo", "--seed", "x"], "--seed"),
    "unknown option": (["demo", "--speed", "3"], "--speed"),
    "unknown command": (["trian"], "trian"),
    "too many dropouts": (["demo", "--dropouts", "4"], "leave 6 of 10 clients"),
    "too many clients": (["demo", "--clients", "2000"], "1438 examples for 2000 clients"),
}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_on_stderr_and_exit_code_2(capfd, arguments, message):
    assert app.run(arguments) == 2
    seen = capfd.readouterr().err
    assert seen.startswith("fl: ")
    assert seen.count("\n") == 1
    assert message in seen


def test_ctrl_c_ends_with_130_and_keeps_the_rounds_done(monkeypatch, capfd, played):
    _, rows, _ = played[0]

    class Interrupted:
        def __init__(self, *options):
            pass

        def __iter__(self):
            yield rows[0]
            raise KeyboardInterrupt

    monkeypatch.setattr("fl.cli.demo_side_by_side.Demo", Interrupted)
    assert app.run(["demo"]) == 130
    out, err = capfd.readouterr()
    assert render.dropped(rows[0].metrics["aggregator"]["dropped"]) in out
    assert "Traceback" not in out + err


def test_help_needs_no_tensorflow():
    code, out, err = fresh_interpreter(
        "import sys\n"
        "from fl.cli import app\n"
        "assert app.run(['demo', '--help']) == 0\n"
        "print([m for m in ('tensorflow', 'keras', 'sklearn') if m in sys.modules])"
    )
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "[]"


def test_training_leaves_stderr_alone():
    code, out, err = fresh_interpreter(
        "from fl.cli import app; app.run(['demo', '--rounds', '1', '--json'])"
    )
    assert (code, err) == (0, "")
    assert json.loads(out)["rounds"] == 1


def test_another_keras_backend_is_refused_in_one_line():
    code, _, err = fresh_interpreter("import fl; fl.SecureSum", KERAS_BACKEND="jax")
    assert code == 1
    assert "the Keras backend is 'jax': set KERAS_BACKEND=tensorflow" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ((3, 14, 0), "TensorFlow, which supports Python 3.11 to 3.13; this interpreter is 3.14"),
        ((3, 12, 0), r"pip install 'secagg\[fl\]'"),
    ],
)
def test_a_python_without_tensorflow_is_told_so_in_one_line(monkeypatch, version, message):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("sys.version_info", version)
    with pytest.raises(ImportError, match=message):
        fl.require_tensorflow()


def test_every_public_name_is_there():
    assert dir(fl) == sorted([*fl.__all__, "__version__"])
    for name in fl.__all__:
        assert getattr(fl, name).__name__ in (name, f"fl.{name}")
    with pytest.raises(AttributeError, match="no attribute 'build_fedavg'"):
        _ = fl.build_fedavg
