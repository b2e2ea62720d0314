"""Hosts in network namespaces of this machine, each with an address of its own on one bridge.

    hub 10.77.0.1 ── bridge ──┬── veth ── host 1 10.77.0.11
                              └── Line ── host 0 10.77.0.10        with loss and delay

A line is a pair of TAP devices with this process between them: it needs no `netem` in the kernel.
"""

import asyncio
import contextlib
import fcntl
import os
import random
import struct
import subprocess
import threading

HUB = "10.77.0.1"
_TUNSETIFF, _TAP, _NO_INFO = 0x400454CA, 0x0002, 0x1000


def permitted():
    """Whether namespaces and TAP devices can be made here."""
    name = f"fl{os.getpid()}try"
    try:
        _ip("netns", "add", name)
        _ip("netns", "del", name)
        os.close(_tap(name))
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


class Hosts:
    """A hub and so many hosts; all end with it. Commands in one begin with `inside(host)`.

    bad: the host at the end of a line that loses this part of the frames, and takes so many seconds
    one way.
    """

    def __init__(self, count, *, bad=0, loss=0.03, delay=0.1):
        self._name = f"fl{os.getpid()}"
        self._count, self._bad = count, bad
        self.line = Line(loss, delay)

    def inside(self, host=None):
        """What a command begins with, on a host or on the hub."""
        return f"ip netns exec {self._space(host)}"

    def _space(self, host):
        return f"{self._name}hub" if host is None else f"{self._name}h{host}"

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        self.line.close()
        for host in (None, *range(self._count)):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("netns", "del", self._space(host))

    def _make(self):
        hub = self._space(None)
        for host in (None, *range(self._count)):
            _ip("netns", "add", self._space(host))
            _ip("-n", self._space(host), "link", "set", "lo", "up")
        _ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        _ip("-n", hub, "addr", "add", f"{HUB}/24", "dev", "bridge")
        _ip("-n", hub, "link", "set", "bridge", "up")
        for host in range(self._count):
            far, near = f"{self._name}f{host}", f"{self._name}n{host}"
            if host == self._bad:
                self.line.open(far, near)
            else:
                _ip("link", "add", far, "type", "veth", "peer", "name", near)
            self._plug(far, self._space(host))
            _ip("-n", self._space(host), "addr", "add", f"10.77.0.{10 + host}/24", "dev", far)
            self._plug(near, hub)
            _ip("-n", hub, "link", "set", near, "master", "bridge")

    @staticmethod
    def _plug(device, space):
        _ip("link", "set", device, "netns", space)
        _ip("-n", space, "link", "set", device, "up")


class Line:
    """Two TAP devices, and what passes between them. passed, lost: how many frames so far."""

    def __init__(self, loss, delay):
        self._loss, self._delay = loss, delay
        self._chance = random.Random(1)
        self.passed = self.lost = 0
        self._ends = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def open(self, *names):
        self._ends = [_tap(name) for name in names]
        one, other = self._ends
        self._loop.add_reader(one, self._pass, one, other)
        self._loop.add_reader(other, self._pass, other, one)
        self._thread.start()

    def close(self):
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
        self._loop.close()
        for end in self._ends:
            os.close(end)
        self._ends = []

    def _pass(self, source, target):
        frame = os.read(source, 65536)
        if self._chance.random() < self._loss:
            self.lost += 1
        else:
            self.passed += 1
            self._loop.call_later(self._delay, self._write, target, frame)

    @staticmethod
    def _write(target, frame):
        with contextlib.suppress(OSError):  # as on a line that is cut
            os.write(target, frame)


def _tap(name):
    device = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", name.encode(), _TAP | _NO_INFO))
    except OSError:
        os.close(device)
        raise
    return device


def _ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)
