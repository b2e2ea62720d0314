"""A SuperLink and SuperNodes as processes of this machine, for tests that have Flower."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.helpers.tls import make_certificates

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
    """One SuperLink, a SuperNode for each folder of a federation's nodes; all end with it.

    registered: None for no TLS; else how many of the nodes the SuperLink knows, over TLS.
    """

    def __init__(self, folder, nodes, registered=None):
        self.folder, self.nodes, self.registered = folder, nodes, registered
        self.port, *self.ports = free_ports(1 + len(nodes))
        self.processes = {}
        (folder / "home").mkdir()
        security = "insecure = true"
        if registered is not None:
            make_certificates(folder / "tls", len(nodes))
            security = f'root-certificates = "{folder}/tls/ca.crt"'
        (folder / "home" / "config.toml").write_text(
            f'[superlink]\ndefault = "here"\n\n[superlink.here]\n'
            f'address = "127.0.0.1:{self.port}"\n{security}\n'
        )

    @property
    def _certificates(self):
        tls = self.folder / "tls"
        return (
            f"--ssl-ca-certfile {tls}/ca.crt --ssl-certfile {tls}/server.pem "
            f"--ssl-keyfile {tls}/server.key"
        )

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        secure = self.registered is not None
        self.start(
            "superlink",
            "flower-superlink --host 127.0.0.1 --disable-runtime-dependency-installation",
            f"--port {self.port}",
            f"{self._certificates} --enable-supernode-auth" if secure else "--insecure",
        )
        self.wait_for_superlink()
        for u in range(self.registered or 0):
            self.start("register", f"flwr supernode register {self.folder}/tls/node-{u}.pub here")
            self.processes.pop("register").wait(60)
        for u in range(len(self.nodes)):
            self.start_node(u)

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
        words = "flower-supernode --host 127.0.0.1 --insecure"
        if self.registered is not None:
            tls = self.folder / "tls"
            words = (
                f"flower-supernode --host 127.0.0.1 --root-certificates {tls}/ca.crt "
                f"{self._certificates} --auth-supernode-private-key {tls}/node-{u}.key"
            )
        ports = f"--superlink 127.0.0.1:{self.port} --port {self.ports[u]}"
        config = f'federation="{self.nodes[u]}"'
        self.start(f"node-{u}", words, ports, extra=("--node-config", config))

    def wait_for_superlink(self):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
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
