"""`fl train` with a budget of privacy: what it spends, and where it ends."""

import json

import keras
import pytest

import fl
from fl.cli import app, training_rows
from fl.experiment import noise
from fl.experiment.run_directory import RunDir
from fl.experiment.settings import RunOptions, Settings
from fl.experiment.training import Training

pytest.importorskip("dp_accounting")

TINY = {"clients": 6, "clients_per_round": 3, "model": "softmax", "batch_size": 300}
BUDGET = {"dp_epsilon": 8.0, "dp_delta": 1e-3, "clip_norm": 0.5}
PAST = r"expected at most the budget of 8\.0"
CLIENTS = {**BUDGET, "threshold": 0.67, "corrupt": 0.0, "bits": 16}
IN_TURN = {**CLIENTS, "sampling": "in-turn"}


def training(folder, rounds=2, **changes):
    settings = Settings(**{**TINY, **changes}, rounds=rounds)
    return Training(settings, RunOptions(run_dir=folder, evaluate_every=10))


def account(folder):
    return (folder / "privacy.jsonl").read_text().splitlines()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Four rounds in turn, two of each client: the folder, and the rounds' lines."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, list(training(folder, rounds=4, **IN_TURN))


def test_a_run_spends_its_budget_and_tells_no_metric(whole):
    folder, metrics = whole
    spent = [line["privacy"]["epsilon"] for line in metrics]
    assert spent == sorted(spent)
    assert spent[1] == pytest.approx(spent[0], rel=0.01)  # those who were not asked before
    # All three survived, and two were counted on: less was spent than there was.
    assert 4 < spent[-1] <= 8
    for line in metrics:
        assert line["client_work"]["train"] == {}
        assert line["privacy"]["epsilon_seen"] == line["privacy"]["epsilon"]
        assert line["aggregator"]["noise"]["promised"] == line["privacy"]["noise_multiplier"]
    assert len(account(folder)) == 1 + 2 * 4
    written = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert written == json.loads(json.dumps(metrics))


def test_a_run_that_goes_on_keeps_its_noise_and_ends_at_its_budget(tmp_path, capfd):
    first = list(training(tmp_path, rounds=1, **CLIENTS))
    z = first[0]["privacy"]["noise_multiplier"]
    resumed = training(tmp_path, rounds=50, **CLIENTS)
    assert resumed._privacy.multiplier == z
    before = account(tmp_path)
    # With all its noise spent in one round, as it was planned, a second has no room.
    with pytest.raises(fl.errors.PrivacyError, match=PAST):
        list(resumed)
    with pytest.raises(fl.errors.PrivacyError, match=PAST):
        list(training(tmp_path, rounds=2, **CLIENTS))
    assert account(tmp_path) == before
    command = ["train", "--clients", "6", "--clients-per-round", "3", "--model", "softmax"]
    command += ["--batch-size", "300", "--dp-epsilon", "8", "--dp-delta", "1e-3"]
    command += ["--clip-norm", "0.5", "--threshold", "0.67", "--corrupt", "0", "--bits", "16"]
    assert app.run([*command, "--rounds", "2", "--run-dir", str(tmp_path)]) == 2
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("fl: ")]
    assert len(said) == 1
    assert "the training ends here" in said[0]


def test_killed_before_its_checkpoint_a_round_is_paid_twice(tmp_path, monkeypatch, whole):
    def killed(self, state, round_number):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RunDir, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            list(training(tmp_path, rounds=4, **IN_TURN))
    assert len(account(tmp_path)) == 1 + 2
    resumed = training(tmp_path, rounds=4, **IN_TURN)
    assert resumed.state.round == 0
    metrics = next(iter(resumed))
    # The same clients as before, with other noise: as much as the whole run takes in two passes.
    assert metrics["privacy"]["epsilon"] == pytest.approx(
        whole[1][2]["privacy"]["epsilon"], rel=1e-6
    )
    assert len(account(tmp_path)) == 1 + 2 * 2


def test_a_round_that_fails_is_paid_as_it_was_promised(tmp_path):
    (line,) = training(tmp_path, rounds=1, dropout=1.0, **IN_TURN)
    assert "failed" in line
    assert line["privacy"]["epsilon"] == pytest.approx(8.0, rel=0.01)
    assert [*json.loads(account(tmp_path)[-1])] == ["round", "clients", "promised"]


def test_secret_coins_cost_less_for_whoever_does_not_see_them(tmp_path):
    settings = {**BUDGET, "dp_mechanism": "gaussian", "sampling": "poisson", "seed": 3}
    lines = list(training(tmp_path, rounds=2, clients_per_round=4, **settings))
    spent = lines[-1]["privacy"]
    assert spent["epsilon"] < spent["epsilon_seen"]
    assert spent["epsilon"] <= 8 * (1 + 1e-9)
    summed = [line for line in lines if "aggregator" in line]
    assert summed
    assert {line["aggregator"]["noise"]["mechanism"] for line in summed} == {"gaussian"}
    assert f"ε {spent['epsilon']:.3f}  (who sees the cohorts: " in training_rows.line(summed[-1])


RATES = {"skellam": 1.0, "discrete_gaussian": 1.0, "gaussian": 0.5}


@pytest.mark.parametrize(("mechanism", "rate"), RATES.items())
def test_coins_count_only_where_noise_does_not_tell_how_many_there_are(mechanism, rate):
    def counted(**changes):
        alone = {**CLIENTS, "threshold": 1.0, "sampling": "poisson", "dp_mechanism": mechanism}
        return noise.rate_of(Settings(**{**TINY, **alone, **changes}), 6)

    assert counted() == counted(threshold=0.9) == counted(corrupt=0.1) == rate
    assert counted(sampling="uniform") == counted(sampling="in-turn") == 1.0


def test_the_server_can_adapt_the_norm_from_a_noisy_count(tmp_path):
    settings = {**BUDGET, "dp_mechanism": "gaussian", "clip_quantile": 0.4}
    first, second = training(tmp_path, rounds=2, **settings)
    # The noisy part of three clients is in sixths, of which none is 0.4.
    assert first["aggregator"]["clip_norm"] == 0.5 != second["aggregator"]["clip_norm"]


def test_a_model_with_statistics_is_refused_before_anything_is_spent(tmp_path):
    layers = [keras.layers.BatchNormalization(), keras.layers.Dense(10)]
    keras.Sequential([keras.Input((64,)), *layers]).save(tmp_path / "some.keras")
    with pytest.raises(fl.errors.PrivacyError, match="a model with 128 statistics"):
        training(tmp_path / "run", **{**IN_TURN, "model": str(tmp_path / "some.keras")})
    assert not (tmp_path / "run").exists()


def test_without_one_in_which_all_count_alike_an_algorithm_is_refused(tmp_path):
    with pytest.raises(fl.errors.ModelError, match="algorithm 'fedsgd', in which clients count"):
        training(tmp_path, algorithm="fedsgd", **{**BUDGET, "dp_mechanism": "gaussian"})
