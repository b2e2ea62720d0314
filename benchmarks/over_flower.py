"""Rounds over Flower beside Flower's own, on the same model, data and nodes.

    python -m benchmarks.over_flower nodes                       five SuperNodes, real processes
    python -m benchmarks.over_flower simulation --clients 50 --units 960        Ray, d = 1M
    python -m benchmarks.over_flower simulation --clients 1000 --units 8 --sums secure

Seconds are those from round to round at the server, bytes those of all objects of all messages as
Flower moves them, all clients together; the first round of each app is left out, in which processes
import. One line of JSON an app; the load of the machine stands beside.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
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
    name = f"bench_{sum_name}"
    package = root / name / name
    package.mkdir(parents=True)
    (root / name / "pyproject.toml").write_text(PYPROJECT.format(name=name))
    (package / "__init__.py").write_text("")
    source = f"from benchmarks.flower_apps.{module_of(sum_name)} import client, server\n"
    (package / "app.py").write_text(source)
    return root / name


def simulated(root: Path, options: argparse.Namespace, sum_name: str) -> None:
    """The rounds of one app under Ray, in a process of their own."""
    backend = {"client_resources": {"num_cpus": 1, "num_gpus": 0.0}}
    code = SIMULATE.format(
        module=module_of(sum_name), clients=options.clients, backend=json.dumps(backend)
    )
    log = root / f"{sum_name}.log"
    with open(log, "wb") as file:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment(root) | settings(root, options, sum_name),
            stdout=file,
            stderr=file,
        )
    if done.returncode or not (root / f"{sum_name}.json").exists():
        raise SystemExit(log.read_text(errors="replace")[-4000:])


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
    """What was measured of one app, the first round left out."""
    rounds = json.loads((root / f"{sum_name}.json").read_text())[1:]
    failed = 0
    lines = root / f"run-{sum_name}" / "metrics.jsonl"
    if lines.exists():
        failed = sum("failed" in json.loads(line) for line in lines.read_text().splitlines())
    return {
        "sum": sum_name,
        "seconds": round(statistics.median(each["seconds"] for each in rounds), 2),
        "all_seconds": [round(each["seconds"], 2) for each in rounds],
        "down": round(statistics.median(each["down"] for each in rounds)),
        "up": round(statistics.median(each["up"] for each in rounds)),
        "messages": round(statistics.median(each["messages"] for each in rounds)),
        "errors": sum(each["errors"] for each in rounds),
        "failed_rounds": failed,
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
