"""In a kernel of Jupyter: bars come and go, and the example runs and shows what it shows."""

import time
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

EXAMPLE = Path(__file__).parents[3] / "examples" / "secure_training.ipynb"
SECONDS = 300  # on a busy machine

SLOW_SUM = """
import threading
import numpy as np
import fl
from fl.aggregators.contribution import Contribution
from fl.aggregators.interface import Session
from fl.progress import watch

watch.SECONDS = 0.0
shown = threading.Event()
start = watch.Bars.summed
watch.Bars.summed = lambda bars, *where: (start(bars, *where), shown.wait(0.2))
one = Contribution(np.ones(2, np.float32), 1, np.zeros(1))
total = fl.SecureSum().aggregate([one] * 3, Session(0, 0, [bytes(32)] * 3))
total
"""


def test_bars_come_and_go_in_a_notebook():
    """What the kernel sends is read as a page would: rich draws into a widget."""
    pytest.importorskip("ipywidgets")
    manager = pytest.importorskip("jupyter_client.manager")
    kernel, client = manager.start_new_kernel(SECONDS, kernel_name="python3")
    try:
        client.execute(SLOW_SUM, allow_stdin=False)
        sent = list(messages(client))
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
    kinds = [kind for kind, _ in sent]
    assert "error" not in kinds, sent
    drawn = "".join(str(content) for kind, content in sent if kind == "display_data")
    assert "masks" in drawn
    assert kinds.count("comm_open") > 0
    assert "comm_close" in kinds  # the widget is gone when the work is done
    assert any("Aggregated(secure" in str(content) for _, content in sent)


def messages(client):
    """(kind, content) of what a kernel publishes, until it is idle."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        message = client.get_iopub_msg(timeout=SECONDS)
        yield message["msg_type"], message["content"]
        if message["content"].get("execution_state") == "idle":
            return


def cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pages(notebook):
    """The HTML of its outputs."""
    outputs = [output for cell in cells(notebook) for output in cell.outputs]
    return [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]


def test_the_example_is_stored_with_what_it_shows():
    notebook = nbformat.read(EXAMPLE, as_version=4)
    nbformat.validate(notebook)
    titles = ["Round 1", "8 rounds", "Params", "Aggregate"]
    shown = pages(notebook)
    assert len(shown) == len(titles)
    for title, page in zip(titles, shown, strict=True):
        assert f"<caption>{title}</caption>" in page
    counts = [cell.execution_count for cell in cells(notebook)]
    assert counts == [*range(1, len(counts) + 1)]


@pytest.mark.slow
def test_the_example_runs_and_learns():
    notebook = nbformat.read(EXAMPLE, as_version=4)
    stored = len(pages(notebook))
    for cell in cells(notebook):
        cell.outputs = []
    options = {"timeout": SECONDS, "startup_timeout": SECONDS, "kernel_name": "python3"}
    nbclient.NotebookClient(notebook, **options).execute()
    assert len(pages(notebook)) == stored
    total = cells(notebook)[-1].outputs[0].data["text/plain"]
    assert total.count("4891") == 5
