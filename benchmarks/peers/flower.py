"""Flower's SecAgg+ against this package on the same work: `python -m benchmarks.peers.flower`.

    ratio = CPU seconds of Flower / CPU seconds of secagg,   alternating, in one run

Flower is installed into an environment of its own, in a folder that can be deleted; nothing else
needs it.  Its client and server functions are called in one process: no network, no processes, no
training.  Ours also checks and makes signatures, and decodes and encodes every frame.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "1.41.0"


def installed(folder: Path) -> Path:
    """The Python of an environment that has Flower."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    wanted = [f"flwr=={VERSION}", "msgspec"]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
    return python


def session(python: Path | str, module: str, options: list[str]) -> dict:
    """One session in a process of its own; the last line that it prints."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "FLWR_TELEMETRY_ENABLED": "0"}
    done = subprocess.run(
        [python, "-m", module, *options],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def spread(ratios: list[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"


def main() -> None:
    """Alternate, and print every run and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=30, help="clients")
    parser.add_argument("--d", type=int, default=100_000, help="words of the vector")
    parser.add_argument("--drop", type=float, default=0.1, help="fraction lost after ShareKeys")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "peer-flower")
    options = parser.parse_args()
    python = installed(options.folder)
    work = ["--n", str(options.n), "--d", str(options.d), "--drop", str(options.drop)]
    ratios: dict[str, list[float]] = {"client_cpu_s": [], "server_cpu_s": []}
    for _ in range(options.repeats):
        flower = session(python, "benchmarks.peers.flower_session", work)
        ours = session(sys.executable, "benchmarks.protocol", [*work, "--json"])
        for key, seen in ratios.items():
            seen.append(flower[key] / ours[key])
            print(f"{key}  flower {flower[key]:.3f}  secagg {ours[key]:.4f}")
    print(
        f"flwr {VERSION}, n={options.n}, d={options.d}, {options.drop:.0%} dropped after ShareKeys"
    )
    print(f"client: {spread(ratios['client_cpu_s'])} times our CPU seconds")
    print(f"server: {spread(ratios['server_cpu_s'])} times our CPU seconds")


if __name__ == "__main__":
    main()
