"""The processes that mask: light, as many as asked, and none is left behind."""

import io
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from rich.console import Console

import fl
from fl.aggregators.contribution import Contribution
from fl.aggregators.interface import Session
from fl.cli import app
from fl.progress.bars import Bars
from secagg.masks import jobs
from secagg.simulation.pool import masking_pool
from tests.helpers.reports import untimed

CONTRIBUTIONS = [
    Contribution(np.float32([u, -u, 1.0]), u + 1, np.float64([u, 1 / 3])) for u in range(8)
]
SESSION = Session(0, 5, [bytes(32)] * 8, dropouts={2: 2, 5: 4})
LOADED = "sorted({'tensorflow', 'keras', 'secagg'} & set(__import__('sys').modules))"


@pytest.fixture
def small_jobs(monkeypatch):
    monkeypatch.setattr(jobs, "LEAST_MASKS", 8)


def summed(**options):
    """The result of one secure sum as a dict, but for its time."""
    total = vars(fl.SecureSum(**options).aggregate(CONTRIBUTIONS, SESSION))
    arrays = {name: x.tobytes() for name, x in total.items() if isinstance(x, np.ndarray)}
    return {**total, **arrays, "extra": untimed(total["extra"]), "seconds": None}


@pytest.mark.usefixtures("small_jobs")
def test_a_sum_in_processes_is_the_sum_bit_for_bit_and_they_import_no_tensorflow():
    with masking_pool(2) as pool:
        assert summed(executor=pool) == summed()
        assert pool.submit(eval, LOADED).result() == ["secagg"]
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(eval, "1")


def test_one_worker_needs_no_process():
    with masking_pool(1) as pool:
        assert pool is None


def test_a_sum_tells_how_far_each_round_of_the_protocol_is():
    seen = []
    summed(progress=lambda *done: seen.append(done))
    sizes = {0: 8, 1: 8, 2: 8, 3: 7, 4: 7}  # client 2 is gone from round 2 on, 5 from round 4
    assert seen == [(r, i + 1, n) for r, n in sizes.items() for i in range(n)]


def test_neither_executor_nor_progress_makes_another_sum():
    assert fl.SecureSum(executor=object(), progress=print) == fl.SecureSum()
    assert repr(fl.SecureSum(progress=print)) == repr(fl.SecureSum())


COMMAND = ["train", "--rounds", "2", "--model", "softmax", "--run-dir"]


@pytest.mark.usefixtures("small_jobs")
def test_training_with_workers_masks_in_processes_and_ends_with_the_same_weights(
    tmp_path, monkeypatch, capsys
):
    made = []

    class Counted(ProcessPoolExecutor):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.jobs = 0
            made.append(self)

        def submit(self, *job):
            self.jobs += 1
            return super().submit(*job)

    monkeypatch.setattr("secagg.simulation.pool.ProcessPoolExecutor", Counted)
    weights = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        assert app.run([*COMMAND, str(folder), "--workers", str(workers)]) == 0
        with np.load(folder / "checkpoints" / "round-00000002.npz") as file:
            weights.append({name: file[name].tobytes() for name in file.files})
    assert weights[0] == weights[1]
    (pool,) = made
    assert pool.jobs == 2 * 5 * 5  # two rounds of five, two of the ten clients a job
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(eval, "1")


@pytest.mark.parametrize(
    "command", [["train", "--rounds", "1", "--model", "softmax"], ["demo", "--rounds", "1"]]
)
def test_the_commands_show_the_clients_and_the_rounds_of_the_protocol(
    command, tmp_path, monkeypatch
):
    trained, summed = [], []
    monkeypatch.setattr(Bars, "trained", lambda self, *seen: trained.append(seen))
    monkeypatch.setattr(Bars, "summed", lambda self, *seen: summed.append(seen))
    monkeypatch.chdir(tmp_path)
    assert app.run(command) == 0
    assert trained[:10] == [(i + 1, 10) for i in range(10)]
    assert [seen for seen in summed if seen[0] == 0] == [(0, i + 1, 10) for i in range(10)]
    assert {seen[0] for seen in summed} == set(range(5))


def test_bars_show_what_they_were_told():
    bars = Bars(Console(file=io.StringIO(), width=80))
    bars.trained(3, 10)
    assert "3/10" in shown(bars)
    bars.summed(2, 4, 9)
    assert "masks" in shown(bars)
    assert "4/9" in shown(bars)
    bars.summed(3, 1, 8)
    assert "masks" not in shown(bars)
    assert "1/8" in shown(bars)


def shown(bars):
    with bars.progress.console.capture() as captured:
        bars.progress.console.print(bars.progress)
    return captured.get()


PROGRAM = """
import time
from secagg.simulation.pool import masking_pool
with masking_pool(2) as pool:
    jobs = [pool.submit(time.sleep, 0.2) for _ in range(4)]
    print([job.result() for job in jobs], flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(("number", "tracebacks"), [(signal.SIGINT, 1), (signal.SIGKILL, 0)])
def test_the_processes_end_with_their_parent_and_say_nothing(number, tracebacks):
    """Ctrl-C reaches all of them, and the parent alone reports it; kill -9 reaches the parent."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    parent.stdout.readline()
    if number == signal.SIGINT:
        os.killpg(parent.pid, number)
    else:
        parent.send_signal(number)
    # every process has the pipes: they end when the last one does
    _, said = parent.communicate(timeout=30)
    assert said.count("Traceback") == tracebacks, said
