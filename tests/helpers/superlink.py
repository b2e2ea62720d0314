"""A SuperLink and SuperNodes as processes of this machine, for tests that have Flower."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
APP = ROOT / "examples" / "flower"
BIN = Path(sys.executable).parent


def environment(folder):
    """What the processes see: our packages, no network but their own, few messages."""
    return os.environ | {
        "PYTHONPATH": f"{ROOT}:{APP}",
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "FLWR_HOME": str(folder / "home"),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1",
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Network:
    """One SuperLink, a SuperNode for each folder of a federation's nodes; all end with it."""

    def __init__(self, folder, nodes):
        self.folder, self.nodes = folder, nodes
        self.port, *self.ports = free_ports(1 + len(nodes))
        self.processes = {}
        (folder / "home").mkdir()
        (folder / "home" / "config.toml").write_text(
            f'[superlink]\ndefault = "here"\n\n[superlink.here]\n'
            f'address = "127.0.0.1:{self.port}"\ninsecure = true\n'
        )

    def __enter__(self):
        self.start(
            "superlink",
            "flower-superlink --insecure --host 127.0.0.1",
            f"--disable-runtime-dependency-installation --port {self.port}",
        )
        self.wait_for_superlink()
        for u in range(len(self.nodes)):
            self.start_node(u)
        return self

    def __exit__(self, *exception):
        for name in list(self.processes):
            self.stop(name)

    def start(self, name, *words, extra=()):
        command = [*" ".join(words).split(), *extra]
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=environment(self.folder),
                start_new_session=True,
            )
        return self.processes[name]

    def start_node(self, u):
        words = "flower-supernode --insecure --host 127.0.0.1"
        ports = f"--superlink 127.0.0.1:{self.port} --port {self.ports[u]}"
        config = f'federation="{self.nodes[u]}"'
        self.start(f"node-{u}", words, ports, extra=("--node-config", config))

    def wait_for_superlink(self):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5).close()
                return
            time.sleep(0.2)
        raise TimeoutError("no SuperLink after 60 s")

    def run(self, **config):
        """`flwr run` of the example."""
        words = [f"{name.replace('_', '-')}={_toml(value)}" for name, value in config.items()]
        run = ("--stream", "--run-config", " ".join(words))
        return self.start("run", f"flwr run {APP} here", extra=run)

    def said(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def kill(self, name):
        """As a power cut: the process and its children, at once."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)

    def stop(self, name):
        process = self.processes[name]
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        self.kill(name)


def _toml(value):
    return f'"{value}"' if isinstance(value, str | Path) else str(value)
