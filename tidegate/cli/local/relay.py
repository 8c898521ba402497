"""A link that can be cut: a TCP relay in user space, with a delay, so that neither root nor a second machine is needed.

Cutting resets every connection and refuses new ones, as a pulled cable does once the kernels have noticed. The delay
holds for each direction. A relay carries bytes; it knows nothing of what they mean.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
PIECE = 65_536


class Relay:
    """Listens on loopback and forwards to `host:port`. Runs on a thread of its own."""

    def __init__(self, target: str = "", *, delay_ms: float = 0.0) -> None:
        self.target = target
        """May be set later; connections made before are refused."""
        self.delay_s = delay_ms / 1000
        self.forwarded_bytes = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._thread.start()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.restore()

    @property
    def address(self) -> str:
        """Where the relay listens."""
        return f"127.0.0.1:{self.port}"

    @property
    def up(self) -> bool:
        """Whether the link carries anything."""
        return self._server is not None

    def cut(self) -> None:
        """Nothing passes from now on."""
        self._do(self._cut())

    def restore(self) -> None:
        """The link is back, on the same port."""
        self._do(self._restore())

    def close(self) -> None:
        """Ends the relay for good."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _restore(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._writers):
            writer.transport.abort()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, near_reader: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(near_writer)
        far_writer: asyncio.StreamWriter | None = None
        try:
            host, _, port = self.target.rpartition(":")
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            self._writers.add(far_writer)
            await asyncio.gather(self._pump(near_reader, far_writer), self._pump(far_reader, near_writer))
        except (OSError, ValueError, asyncio.CancelledError):
            pass  # one end went away, or the link was cut; the other end sees it as its own connection closing
        finally:
            self._tasks.discard(task)
            for writer in (near_writer, far_writer):
                if writer is not None:
                    self._writers.discard(writer)
                    writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forwards in order. With a delay, bytes leave `delay_s` after they came, however many are under way."""
        if not self.delay_s:
            while piece := await reader.read(PIECE):
                self.forwarded_bytes += len(piece)
                writer.write(piece)
                await writer.drain()
        else:
            queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
            sender = asyncio.ensure_future(self._send_later(queue, writer))
            try:
                while piece := await reader.read(PIECE):
                    self.forwarded_bytes += len(piece)
                    await queue.put((self._loop.time() + self.delay_s, piece))
                await queue.put((self._loop.time() + self.delay_s, b""))
                await sender
            finally:
                sender.cancel()
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _send_later(self, queue: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
        while True:
            due, piece = await queue.get()
            await asyncio.sleep(due - self._loop.time())
            if not piece:
                return
            writer.write(piece)
            await writer.drain()
