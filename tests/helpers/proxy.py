"""A relay that a node trusts, on its way to the SuperLink: it ends TLS, and changes bytes."""

import asyncio
import ssl
import threading


class Proxy:
    """Listens with the SuperLink's own certificate, and relays to it.

    up, down: what becomes of the bytes to the SuperLink, and back. changed: how often they became
    others.
    """

    def __init__(self, tls, port, *, up=lambda data: data, down=lambda data: data):
        self._tls, self._to, self._up, self._down = tls, port, up, down
        self.changed = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *exception):
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._tls / "server.pem", self._tls / "server.key")
        return await asyncio.start_server(self._relay, "127.0.0.1", 0, ssl=context)

    async def _end(self):
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _relay(self, reader, writer):
        trust = ssl.create_default_context(cafile=self._tls / "ca.crt")
        try:
            to = await asyncio.open_connection("127.0.0.1", self._to, ssl=trust)
        except OSError:
            writer.close()
            return
        ways = self._one_way(reader, to[1], self._up), self._one_way(to[0], writer, self._down)
        await asyncio.gather(*ways, return_exceptions=True)

    async def _one_way(self, reader, writer, change):
        try:
            while data := await reader.read(2**18):
                other = change(data)
                self.changed += other != data
                writer.write(other)
                await writer.drain()
        finally:
            writer.close()


def flip_after(mark, distance):
    """Changes one bit, so many bytes after the mark."""

    def flipped(data):
        at = data.find(mark) + distance
        if at < distance or at >= len(data):
            return data
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    return flipped
