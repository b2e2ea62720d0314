"""A SuperLink and SuperNodes as processes of this machine, for tests that have Flower."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.helpers.tls import make_certificates

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "flower"
REGRESSION = ROOT / "tests" / "fl" / "flower" / "app"
BIN = Path(sys.executable).parent


def environment(folder, app=EXAMPLE):
    """What the processes see: our packages, no network but their own, few messages."""
    return os.environ | {
        "PYTHONPATH": f"{ROOT}:{app}",
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

    registered: None for no TLS; else which of the nodes the SuperLink knows, over TLS.
    app: what runs. quick: SuperNodes that wait less (`quick_supernode`).
    lasting: the SuperLink has a database and its apps run beside it, so that it can be restarted.
    address, inside: of the SuperLink, and for each process what its command begins with, so that it
    is on another host.
    """

    def __init__(
        self,
        folder,
        nodes,
        registered=None,
        *,
        app=EXAMPLE,
        quick=False,
        lasting=False,
        address="127.0.0.1",
        inside=lambda name: "",
    ):
        self.folder, self.nodes, self.registered = folder, nodes, registered
        self.app, self.quick, self.lasting = app, quick, lasting
        self.address, self.inside = address, inside
        self.port, *self.ports = free_ports(1 + len(nodes))
        self.links = dict.fromkeys(range(len(nodes)), self.port)
        self.processes, self.kept = {}, set()
        (folder / "home").mkdir()
        security = "insecure = true"
        if registered is not None:
            make_certificates(folder / "tls", len(nodes), address)
            security = f'root-certificates = "{folder}/tls/ca.crt"'
        (folder / "home" / "config.toml").write_text(
            f'[superlink]\ndefault = "here"\n\n[superlink.here]\n'
            f'address = "{address}:{self.port}"\n{security}\n'
        )

    @property
    def _secure(self):
        return self.registered is not None

    @property
    def _certificates(self):
        tls = self.folder / "tls"
        return (
            f"--ssl-ca-certfile {tls}/ca.crt --ssl-certfile {tls}/server.pem "
            f"--ssl-keyfile {tls}/server.key"
        )

    @property
    def _trust(self):
        return f"--root-certificates {self.folder}/tls/ca.crt" if self._secure else "--insecure"

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        if self.lasting:
            (self.folder / "link").mkdir(mode=0o700)
            (self.folder / "link" / "secret").write_bytes(secrets.token_bytes(32))
        self.start_superlink()
        if self.lasting:
            secret = f"--superexec-auth-secret-file {self.folder}/link/secret"
            address = f"--runtime-api-address {self.address}:{self.port}"
            self.start("superexec", f"flower-superexec {self._trust} {address} {secret}")
        for u in self.registered or ():
            self.start("register", f"flwr supernode register {self.folder}/tls/node-{u}.pub here")
            self.processes.pop("register").wait(60)
        for u in range(len(self.nodes)):
            self.start_node(u)

    def __exit__(self, *exception):
        self.kept.clear()
        for name in reversed([*self.processes]):
            self.stop(name)

    def start(self, name, *words, extra=()):
        command = [*" ".join((self.inside(name), *words)).split(), *extra]
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=environment(self.folder, self.app),
                start_new_session=True,
            )
        return self.processes[name]

    def start_superlink(self):
        """The same one again, after it was killed."""
        apart = "--isolation process --superexec-auth-secret-file {0}/secret --database {0}/db"
        self.start(
            "superlink",
            f"flower-superlink --host {self.address} --disable-runtime-dependency-installation",
            f"--port {self.port}",
            f"{self._certificates} --enable-supernode-auth" if self._secure else "--insecure",
            apart.format(self.folder / "link") if self.lasting else "",
        )
        self.wait_for_superlink()

    def start_node(self, u):
        command = f"{sys.executable} -m tests.helpers.quick_supernode"
        words = f"{command if self.quick else 'flower-supernode'} --host 127.0.0.1 {self._trust}"
        if self._secure:
            key = f"--auth-supernode-private-key {self.folder}/tls/node-{u}.key"
            words = f"{words} {self._certificates} {key}"
        ports = f"--superlink {self.address}:{self.links[u]} --port {self.ports[u]}"
        config = f'federation="{self.nodes[u]}" partition-id={u}'
        return self.start(f"node-{u}", words, ports, extra=("--node-config", config))

    def keep(self, *nodes):
        """As a supervisor: start these again, from `tend` on, whenever they have ended."""
        self.kept.update(nodes)

    def tend(self):
        for u in self.kept:
            process = self.processes.get(f"node-{u}")
            if process is None or process.poll() is not None:
                self.start_node(u)

    def wait_until(self, condition, seconds=240):
        """Raises AssertionError, with what was said, where it does not come true."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise AssertionError("\n".join(self.said(name) for name in ("run", "superlink")))
            self.tend()
            time.sleep(0.1)

    def wait_for_superlink(self):
        place = f"'{self.address}', {self.port}"
        ask = f"import socket; socket.create_connection(({place}), timeout=5)"
        command = [*self.inside("superlink").split(), sys.executable, "-S", "-c", ask]
        until = time.monotonic() + 60
        while subprocess.run(command, stderr=subprocess.DEVNULL).returncode:
            if time.monotonic() > until:
                raise TimeoutError("no SuperLink after 60 s")
            time.sleep(0.2)

    def run(self, **config):
        """`flwr run` of the app."""
        words = [f"{name.replace('_', '-')}={_toml(value)}" for name, value in config.items()]
        run = ("--stream", "--run-config", " ".join(words))
        return self.start("run", f"flwr run {self.app} here", extra=run)

    def said(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def kill(self, name):
        """As a power cut: the process and its children, at once."""
        self.signal(name, signal.SIGKILL)
        self.processes.pop(name).wait(30)

    def signal(self, name, which):
        """To the process and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.processes[name].pid, which)

    def stop(self, name):
        process = self.processes[name]
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        self.kill(name)

    def left(self):
        """The processes that are still there of all that were started."""
        mark = f"FLWR_HOME={self.folder / 'home'}".encode()
        return [path.parent for path in Path("/proc").glob("[0-9]*/environ") if _has(path, mark)]


def _has(path, mark):
    with contextlib.suppress(OSError):
        return mark in path.read_bytes().split(b"\0")
    return False


def _toml(value):
    return f'"{value}"' if isinstance(value, str | Path) else str(value)
