"""Rounds over Flower beside Flower's own, on the same model, data and nodes.

    python -m benchmarks.over_flower nodes                       five SuperNodes, real processes
    python -m benchmarks.over_flower simulation --clients 50 --units 960        Ray, d = 1M
    python -m benchmarks.over_flower simulation --clients 1000 --units 8 --sums secure

Seconds are those from round to round at the server, bytes those of all objects of all messages as
Flower moves them, all clients together; the first round of each app is left out, in which processes
import. Memory is the most that all processes of a simulation had at a time, shared pages in equal
parts. One line of JSON an app; the load of the machine stands beside.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from fl.flower.enrolment import found
from fl.flower.federation import Terms
from tests.helpers.superlink import Network, environment

SUMS = ("fedavg", "plain", "secaggplus", "secure")

PYPROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"
license = "Apache-2.0"

[tool.flwr.app]
publisher = "benchmarks"
fab-include = ["**/*.py"]

[tool.flwr.app.components]
serverapp = "{name}.app:server"
clientapp = "{name}.app:client"
"""

SIMULATE = """
import sys
from flwr.simulation import run_simulation
from benchmarks.flower_apps import {module} as app
run_simulation(app.server, app.client, {clients}, backend_config={backend})
"""


def module_of(sum_name: str) -> str:
    """Which of `flower_apps` sums so."""
    return "ours" if sum_name in ("secure", "plain") else sum_name


def federation(root: Path, clients: int, sum_name: str) -> Path:
    """The folders of a federation with this sum; Flower's own apps need none."""
    folder = root / f"f-{sum_name}"
    chosen: dict[str, object] = {"sum": sum_name if sum_name == "plain" else "secure"}
    if clients > 50 and sum_name == "secure":
        chosen |= {"corrupt": 0.05, "dropout": 0.1}
    found(folder, Terms(n=clients, **chosen))  # type: ignore[arg-type]
    return folder


def settings(root: Path, options: argparse.Namespace, sum_name: str) -> dict[str, str]:
    """What the apps read from the environment."""
    folder = root / f"f-{sum_name}"
    return {
        "BENCH_CLIENTS": str(options.clients),
        "BENCH_UNITS": str(options.units),
        "BENCH_ROUNDS": str(options.rounds),
        "BENCH_RESULT": str(root / f"{sum_name}.json"),
        "BENCH_SERVER": str(folder / "server"),
        "BENCH_FOLDERS": str(folder),
        "BENCH_RUN": str(root / f"run-{sum_name}"),
    }


def app_of(root: Path, sum_name: str) -> Path:
    """A folder that `flwr run` takes."""
    name = f"bench{sum_name}"
    package = root / name / name
    package.mkdir(parents=True)
    (root / name / "pyproject.toml").write_text(PYPROJECT.format(name=name))
    (package / "__init__.py").write_text("")
    # Flower looks for assignments, before it imports anything
    source = f"from benchmarks.flower_apps import {module_of(sum_name)} as app\n"
    (package / "app.py").write_text(f"{source}\nclient = app.client\nserver = app.server\n")
    return root / name


def simulated(root: Path, options: argparse.Namespace, sum_name: str) -> None:
    """The rounds of one app under Ray, in a process of their own."""
    backend = {"client_resources": {"num_cpus": 1, "num_gpus": 0.0}}
    code = SIMULATE.format(
        module=module_of(sum_name), clients=options.clients, backend=json.dumps(backend)
    )
    log = root / f"{sum_name}.log"
    with open(log, "wb") as file, Memory(f"FLWR_HOME={root / 'home'}") as memory:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment(root) | settings(root, options, sum_name),
            stdout=file,
            stderr=file,
        )
    (root / f"{sum_name}.memory").write_text(str(memory.most))
    if done.returncode or not (root / f"{sum_name}.json").exists():
        raise SystemExit(log.read_text(errors="replace")[-4000:])


class Memory:
    """Looks every two seconds at all processes with this in their environment. most: in bytes."""

    def __init__(self, mark: str) -> None:
        self._mark = mark.encode()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.most = 0

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(2):
            folders = [path.parent for path in Path("/proc").glob("[0-9]*/environ")]
            self.most = max(self.most, sum(map(self._of, folders)))

    def _of(self, folder: Path) -> int:
        with contextlib.suppress(OSError):
            if self._mark in (folder / "environ").read_bytes().split(b"\0"):
                lines = (folder / "smaps_rollup").read_text().splitlines()
                return 1024 * sum(int(line.split()[1]) for line in lines if line[:4] == "Pss:")
        return 0


def between_nodes(root: Path, options: argparse.Namespace, sum_name: str) -> None:
    """The rounds of one app between processes: the same SuperNodes, newly started for each app, as
    the environment of an app is that of its SuperNode."""
    here = root / f"net-{sum_name}"
    here.mkdir()
    nodes = [root / f"f-{sum_name}" / f"node-{u}" for u in range(options.clients)]
    os.environ.update(settings(root, options, sum_name))
    with Network(here, nodes, app=app_of(root, sum_name)) as network:
        run = network.run()
        if run.wait(1800) or not (root / f"{sum_name}.json").exists():
            raise SystemExit(network.said("run") + network.said("superlink"))


def row(root: Path, sum_name: str, load: float) -> dict[str, object]:
    """What was measured of one app, the first round left out if there are more."""
    rounds = json.loads((root / f"{sum_name}.json").read_text())
    rounds = rounds[1:] or rounds
    path = root / f"run-{sum_name}" / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    memory = root / f"{sum_name}.memory"
    return {
        "sum": sum_name,
        "seconds": round(statistics.median(each["seconds"] for each in rounds), 2),
        "all_seconds": [round(each["seconds"], 2) for each in rounds],
        "down": round(statistics.median(each["down"] for each in rounds)),
        "up": round(statistics.median(each["up"] for each in rounds)),
        "messages": round(statistics.median(each["messages"] for each in rounds)),
        "errors": sum(each["errors"] for each in rounds),
        "failed_rounds": sum("failed" in line for line in lines),
        "dropped": sum(
            len(line["aggregator"]["dropped"]) for line in lines if "failed" not in line
        ),
        "memory_mb": round(int(memory.read_text()) / 1e6) if memory.exists() else None,
        "load": round(load, 1),
    }


def main() -> None:
    """Run the apps one after the other, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("where", choices=["nodes", "simulation"])
    parser.add_argument("--clients", type=int, default=5)
    parser.add_argument("--units", type=int, default=32, help="of each of two layers")
    parser.add_argument("--rounds", type=int, default=4, help="of which the first is left out")
    parser.add_argument("--sums", nargs="+", choices=SUMS, default=SUMS)
    options = parser.parse_args()
    play = between_nodes if options.where == "nodes" else simulated
    with tempfile.TemporaryDirectory(prefix="over-flower-") as folder:
        for sum_name in options.sums:
            root, began = Path(folder), time.perf_counter()
            federation(root, options.clients, sum_name)
            play(root, options, sum_name)
            load, wall = os.getloadavg()[0], time.perf_counter() - began
            print(json.dumps(row(root, sum_name, load) | {"wall": round(wall)}), flush=True)


if __name__ == "__main__":
    main()
