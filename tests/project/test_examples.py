"""The examples run as a reader would run them."""

import asyncio
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import secagg

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(os.name != "posix", reason="the example kills a process with SIGKILL")
def test_five_processes_sum_over_tcp_and_one_is_killed() -> None:
    example = [sys.executable, str(ROOT / "examples" / "asyncio_session.py"), "--verbose"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(example, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    *told, total = done.stdout.splitlines()
    assert sorted(told) == [
        f"client {u}: the session is over, summed" for u in (11, 22, 33, 55)
    ]  # fmt: skip
    assert total == "sum [121, 1210, 4] over (11, 22, 33, 55), dropped {44: 2}"
    assert "Traceback" not in done.stderr
    assert re.search("Collecting: 4 answered", done.stderr)


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import asyncio_session

    monkeypatch.setattr(asyncio_session, "SECONDS_A_ROUND", 0.2)
    return asyncio_session


@pytest.fixture
def server():
    key = X25519PrivateKey.generate()
    vector = secagg.VectorSpec("update", length=3, bits=32)
    params = secagg.Params(n=5, vectors=[vector], server_key=key.public_key().public_bytes_raw())
    identities = {
        u: Ed25519PrivateKey.generate().public_key().public_bytes_raw()
        for u in (11, 22, 33, 44, 55)
    }
    return secagg.Server(params, directory=secagg.Pinned(identities), private_key=key)


def test_a_session_to_which_nobody_comes_ends_with_the_error_of_the_protocol(example, server):
    with pytest.raises(secagg.TooFewClients):
        asyncio.run(example.serve(server, lambda port: None))


def test_who_connects_and_says_nothing_is_sent_away(example, server):
    async def session() -> bytes:
        calls = []

        def start(port: int) -> None:
            calls.append(asyncio.ensure_future(asyncio.open_connection("127.0.0.1", port)))

        with pytest.raises(secagg.TooFewClients):
            await example.serve(server, start)
        reader, writer = await calls[0]
        writer.close()
        return await reader.read()

    assert asyncio.run(asyncio.wait_for(session(), 30)) == b""


def test_a_second_connection_of_one_client_is_closed_and_the_first_goes_on(example, server):
    async def session() -> None:
        service = example.Service(server)
        listener = await asyncio.start_server(service.connected, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        async with listener:
            (first, to_first), (second, to_second) = [
                await asyncio.open_connection("127.0.0.1", port) for _ in range(2)
            ]
            await example.send(to_first, struct.pack(">Q", 11))
            await example.send(to_first, b"one")
            assert await service.frames.get() == (11, b"one")
            await example.send(to_second, struct.pack(">Q", 11))
            assert await second.read() == b""
            await service.hand(11, b"for eleven")
            assert await example.read(first) == b"for eleven"
            await example.send(to_first, b"two")
            assert await service.frames.get() == (11, b"two")
            to_first.close()
            to_second.close()
            assert await service.frames.get() == (11, None)

    asyncio.run(asyncio.wait_for(session(), 30))
