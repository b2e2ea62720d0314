"""All measurements, kept in docs/performance/results.json: `python -m benchmarks.suite`.

Each session is a process of its own, one after the other.  A row measured again replaces the
old one, so that a quick run leaves the rows of the last full one.  Every row says on what it ran.
`benchmarks.report` makes the page of it.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

RESULTS = Path("docs/performance/results.json")

SIZES = [(n, 100_000, drop) for n in (25, 50, 100, 200) for drop in (0.0, 0.1, 0.3)]
LENGTHS = [(100, d, drop) for d in (1000, 10_000, 1_000_000) for drop in (0.0, 0.3)]
QUICK = [["protocol", n, d, drop] for n, d, drop in SIZES + LENGTHS]
QUICK += [["protocol", 100, 1_000_000, 0.3, 2]]
FULL = [["protocol", n, 100_000, drop] for n in (500, 1000) for drop in (0.0, 0.1, 0.3)]
FULL += [["protocol", 1000, 1_000_000, 0.01]]
SPARSE = [["one_client", n] for n in (200, 500, 1000, 2000)]
SPARSE_FULL = [["one_client", n] for n in (5000, 10_000, 20_000)]


def arguments(row: list) -> list[str]:
    """The command of a row, as anybody can type it."""
    kind, *values = row
    names = {"protocol": ("--n", "--d", "--drop", "--workers"), "one_client": ("--n",)}
    named = zip(names.get(kind, ())[: len(values)], values, strict=True)
    options = [str(part) for pair in named for part in pair]
    json_option = ["--json"] if kind == "protocol" else []
    return ["-m", f"benchmarks.{kind}", *options, *json_option]


def measure(row: list) -> dict:
    """One row by its command; a short session five times, of which the median run is kept."""
    short = row[0] == "protocol" and row[1] <= 100
    runs = [once(row) for _ in range(5 if short else 1)]
    middle = sorted(runs, key=lambda run: run.get("server_cpu_s", 0))[len(runs) // 2]
    return middle | {"command": "python " + " ".join(arguments(row)), "hardware": hardware()}


def once(row: list) -> dict:
    """What its command prints last, in a fresh process; BLAS on one core."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, *arguments(row)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    result: dict = json.loads(done.stdout.splitlines()[-1])
    return result


def hardware() -> str:
    """The processor, its cores, and the Python."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def load() -> dict[str, dict]:
    """What is known so far, by row."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def save(results: dict[str, dict]) -> None:
    """Keep everything, in a stable order."""
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")


def main() -> None:
    """Measure row by row, and keep each as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="n = 500 and more too: an hour")
    full = parser.parse_args().full
    rows: list[list] = [["micro"], ["workers"], *QUICK, *SPARSE]
    rows += FULL + SPARSE_FULL if full else []
    for i, row in enumerate(rows, 1):
        name = " ".join(map(str, row))
        print(f"{i}/{len(rows)}  {name}", flush=True)
        save(load() | {name: measure(row)})


if __name__ == "__main__":
    main()
