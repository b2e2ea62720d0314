"""Five processes sum their vectors over TCP, and one of them is killed: the sum is the others'.

    python examples/asyncio_session.py

The parent is the server, its children are the clients.  A frame on the wire is its length (4 bytes,
big-endian) and the bytes of `secagg.wire`.  A round closes when everybody has answered or its time
is up.  Connections are plain TCP, because the protocol does not rest on the transport: see
docs/security.md for what somebody on the wire sees, and use TLS where that matters.
"""

import argparse
import asyncio
import logging
import multiprocessing
import os
import signal
import struct

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import secagg
from secagg.messages import SessionEnd

CLIENTS = (11, 22, 33, 44, 55)
VICTIM, DIES_AFTER_ROUND = 44, 1  # it has dealt its shares, and never sends its vector
SECONDS_A_ROUND = 30.0
LARGEST_FRAME = 1 << 20  # of what a stranger may make us hold


async def send(writer: asyncio.StreamWriter, frame: bytes) -> None:
    """One frame, its length in front."""
    writer.write(struct.pack(">I", len(frame)) + frame)
    await writer.drain()


async def read(reader: asyncio.StreamReader) -> bytes:
    """The next frame; ConnectionError for one that is too large."""
    (size,) = struct.unpack(">I", await reader.readexactly(4))
    if size > LARGEST_FRAME:
        raise ConnectionError(f"a frame of {size} bytes, expected at most {LARGEST_FRAME}")
    return await reader.readexactly(size)


# A client is a process of its own: all it shares with the others is what it was configured with.


def run_client(
    u: int, port: int, params: secagg.Params, directory: secagg.Pinned, key: bytes
) -> None:
    """What each child process does."""
    signing_key = Ed25519PrivateKey.from_private_bytes(key)
    vector = np.array([u, 10 * u, 1], np.uint32)
    client = secagg.Client(u, params, vector, signing_key=signing_key, directory=directory)
    asyncio.run(talk(client, port))


async def talk(client: secagg.Client, port: int) -> None:
    """Answer the server until it says that the session is over."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await send(writer, struct.pack(">Q", client.u))  # who is calling; messages prove it
    await send(writer, secagg.wire.encode(client.start()))
    answered = 0
    while True:
        message = secagg.wire.decode(await read(reader))
        if isinstance(message, SessionEnd):
            summed = client.end(message)
            told = "summed" if summed else "no sum"
            # one write: several processes share this output
            print(f"client {client.u}: the session is over, {told}\n", end="", flush=True)
            return
        reply = client.receive(message)
        if client.u == VICTIM and answered == DIES_AFTER_ROUND:
            os.kill(os.getpid(), signal.SIGKILL)  # without a word, as machines do
        await send(writer, secagg.wire.encode(reply))
        answered += 1


# The server: one task a connection puts frames into a queue, and one loop plays the rounds.


class Service:
    """A `secagg.Server` on a TCP port."""

    def __init__(self, server: secagg.Server) -> None:
        self.server = server
        self.writers: dict[int, asyncio.StreamWriter] = {}
        self.gone: set[int] = set()
        self.frames: asyncio.Queue[tuple[int, bytes | None]] = asyncio.Queue()
        self.connections: set[asyncio.Task[None]] = set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until it ends; a second one for the same client is closed at once."""
        self.connections.add(asyncio.current_task())
        try:
            (u,) = struct.unpack(">Q", await read(reader))
            if self.writers.setdefault(u, writer) is writer:
                await self.listen(u, reader)
        except (ConnectionError, asyncio.IncompleteReadError, struct.error):
            pass  # it is gone, or none of ours
        finally:
            writer.close()

    async def listen(self, u: int, reader: asyncio.StreamReader) -> None:
        """Read what one client sends, until it is gone, which is told as None."""
        try:
            while True:
                self.frames.put_nowait((u, await read(reader)))
        finally:
            self.frames.put_nowait((u, None))

    async def play(self) -> secagg.Aggregate:
        """Five rounds; whoever is late has dropped out."""
        for _ in range(5):
            await self.collect()
            await self.tell(self.server.close_round())
        return self.server.result

    async def collect(self) -> None:
        """Take frames until nobody is waited for who is still there, or time is up."""
        try:
            async with asyncio.timeout(SECONDS_A_ROUND):
                while self.server.waiting_for - self.gone:
                    self.take(*await self.frames.get())
        except TimeoutError:
            logging.warning("no answer from %s", sorted(self.server.waiting_for))

    def take(self, u: int, frame: bytes | None) -> None:
        """One frame; what is refused changes nothing."""
        if frame is None:
            self.gone.add(u)
            return
        try:
            self.server.receive(u, frame)
        except secagg.RemoteProtocolError as error:
            logging.warning("refused, and the session goes on: %s", error)

    async def tell(self, outbox: dict[int, secagg.messages.ServerMessage]) -> None:
        """Send to whoever is still there, to all at once: who does not read holds up nobody."""
        await asyncio.gather(*(self.hand(u, f) for u, f in secagg.wire.encode_all(outbox)))

    async def hand(self, u: int, frame: bytes) -> None:
        """Send to one client, in the time of a round."""
        try:
            async with asyncio.timeout(SECONDS_A_ROUND):
                await send(self.writers[u], frame)
        except (ConnectionError, KeyError, TimeoutError):
            logging.info("client %d is gone", u)
            self.gone.add(u)

    async def part(self) -> None:
        """Wait until everybody has left, and send away whoever stays."""
        if self.connections:
            _, late = await asyncio.wait(self.connections, timeout=SECONDS_A_ROUND)
            for connection in late:
                connection.cancel()


async def serve(server: secagg.Server, start_clients) -> secagg.Aggregate:
    """One session on a free port; everybody is told how it ended, whatever happened."""
    service = Service(server)
    listener = await asyncio.start_server(service.connected, "127.0.0.1", 0)
    async with listener:
        start_clients(listener.sockets[0].getsockname()[1])
        try:
            return await service.play()
        finally:
            if service.server.state not in ("Aggregate", "Failed"):
                service.server.abandon()
            await service.tell(service.server.ends())
            await service.part()


def main() -> None:
    """Make keys and parameters, start everybody, print the sum."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verbose", action="store_true", help="log what the server does")
    options = parser.parse_args()
    level = logging.INFO if options.verbose else logging.ERROR
    logging.basicConfig(level=level, format="%(name)s: %(message)s")

    # In real life each host makes its own key (`secagg keygen`) and is configured with the rest.
    identities = {u: Ed25519PrivateKey.generate() for u in CLIENTS}
    directory = secagg.Pinned(
        {u: key.public_key().public_bytes_raw() for u, key in identities.items()}
    )
    private_key = X25519PrivateKey.generate()
    params = secagg.Params(
        n=len(CLIENTS),
        vectors=[secagg.VectorSpec("update", length=3, bits=32)],
        server_key=private_key.public_key().public_bytes_raw(),
    )
    children = []

    def start_clients(port: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        for u, key in identities.items():
            arguments = (u, port, params, directory, key.private_bytes_raw())
            children.append(spawn.Process(target=run_client, args=arguments, daemon=True))
            children[-1].start()

    server = secagg.Server(params, directory=directory, private_key=private_key)
    result = asyncio.run(serve(server, start_clients))
    for child in children:
        child.join()
    print(f"sum {result.sum.tolist()} over {result.survivors}, dropped {result.dropped}")


if __name__ == "__main__":
    main()
