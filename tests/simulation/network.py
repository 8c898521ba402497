"""The wire between processes: connections whose bytes arrive late, in order or never, and that break.

It has TCP's semantics, not a datagram's, since that is what both ends are written for: what one side sent arrives in
order and once, or the connection ends. A *cut* holds back what one direction carries; what waits is delivered when the
cut is mended, unless the connection has broken by then. Each side notices a dead connection by itself, at a moment of
its own (the keepalive of `tidegate.wire.channel`), so for a while one side may believe in a connection that the other
has given up, and its last words may arrive after a newer connection's.

Directions are by name: `up` is from a client's machine to the server's, `down` the way back.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.simulation.loop import Process, elapse

IN_FLIGHT = 64
"""Messages that a direction holds before a sender waits (flow control)."""
NOTICED_S = 30.0
"""The longest that a side takes to notice a connection on which nothing passes."""


@dataclass(slots=True)
class Link:
    """How it stands between one client's machine and the server's."""

    up: bool = True
    down: bool = True
    slow_s: float = 0.0
    """Added to every message's way."""
    mended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, eq=False)
class Side:
    """One end of a connection: what has arrived, and whether it still believes in it."""

    process: Process
    arrived: "asyncio.Queue[Any]" = field(default_factory=asyncio.Queue)
    broken: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, item: Any) -> None:
        if self.process.alive and not self.broken.is_set():
            self.arrived.put_nowait(item)


class Direction:
    """Items on their way from one side to the other."""

    def __init__(self, network: "Network", link: Link, name: str, source: Side, target: Side) -> None:
        self._network, self._link, self._name = network, link, name
        self._source, self._target = source, target
        self._waiting: deque[Any] = deque()
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._pump = network.run(self._carry())

    async def send(self, item: Any) -> None:
        """Hand one item over; waits where too many are on their way."""
        self._source.process.check()
        while len(self._waiting) >= IN_FLIGHT and not self._source.broken.is_set():
            self._room.clear()
            await self._room.wait()
        if not self._source.broken.is_set():
            self._waiting.append(item)
            self._news.set()

    async def _carry(self) -> None:
        while not self._target.broken.is_set():
            if not self._waiting:
                self._news.clear()
                await self._news.wait()
                continue
            await elapse(self._network.delay() + self._link.slow_s)
            while not getattr(self._link, self._name):
                await self._link.mended.wait()
            item = self._waiting.popleft()
            self._room.set()
            self._network.told(f"{self._source.process.name}>{self._target.process.name}", _shape(item))
            self._target.hear(item)


class Connection:
    """A client's connection to a server, both sides of it."""

    def __init__(self, network: "Network", link: Link, client: Process, server: Process) -> None:
        self.client, self.server = Side(client), Side(server)
        self.link = link
        self.up = Direction(network, link, "up", self.client, self.server)
        self.down = Direction(network, link, "down", self.server, self.client)

    @property
    def over(self) -> bool:
        return self.client.broken.is_set() and self.server.broken.is_set()

    def break_both(self) -> None:
        self.break_side(self.client)
        self.break_side(self.server)

    def break_side(self, side: Side) -> None:
        """From now on this side knows that the connection is gone."""
        if not side.broken.is_set():
            side.broken.set()
            side.arrived.put_nowait(None)
            self.up._room.set()
            self.down._room.set()
            self.up._news.set()
            self.down._news.set()


class Network:
    """Every link and connection of one seed."""

    def __init__(self, random: Random, told: Callable[[str, Any], None], slowest_s: float = 0.02) -> None:
        """`told` hears of each item that arrives, for the trace."""
        self._random = random
        self._slowest_s = slowest_s
        self.told = told
        self._links: dict[str, Link] = {}
        self._connections: list[Connection] = []
        self._servers: dict[str, tuple[Process, Callable[[Connection], None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.opened = 0

    def run(self, work: Any) -> "asyncio.Task[None]":
        """A task of the network's own: it belongs to no process."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def now(self) -> float:
        """Seconds since the history began."""
        return asyncio.get_running_loop().time()

    def delay(self) -> float:
        return self._random.random() * self._slowest_s

    def link(self, client: str) -> Link:
        """Between that machine and the server's."""
        return self._links.setdefault(client, Link())

    def listen(self, address: str, process: Process, accept: Callable[[Connection], None]) -> None:
        """From now on connections to that address reach this process."""
        self._servers[address] = (process, accept)

    async def connect(self, client: Process, machine: str, address: str) -> Connection | None:
        """A new connection; None where nobody answers, which takes as long as it does on a real network."""
        client.check()
        link = self.link(machine)
        await elapse(self.delay() * 3 + link.slow_s * 3)
        server = self._servers.get(address)
        if not (link.up and link.down):
            await elapse(1 + self._random.random() * 4)
            return None
        if server is None or not server[0].alive or not client.alive:
            return None
        process, accept = server
        connection = Connection(self, link, client, process)
        self._connections = [each for each in self._connections if not each.over]
        self._connections.append(connection)
        self.opened += 1
        accept(connection)
        return connection

    # Faults

    def cut(self, client: str, *, up: bool, down: bool) -> None:
        """Hold back what the marked directions carry, until `mend`."""
        link = self.link(client)
        link.up, link.down = link.up and not up, link.down and not down
        link.mended.clear()
        for connection in self._connections:
            if connection.link is link:
                self.run(self._notice(connection, connection.client))
                self.run(self._notice(connection, connection.server))

    def mend(self, client: str) -> None:
        link = self.link(client)
        link.up = link.down = True
        link.slow_s = 0.0
        link.mended.set()

    def slow(self, client: str, seconds: float) -> None:
        self.link(client).slow_s = seconds

    def reset(self, client: str) -> None:
        """A box on the way forgets the connections of this machine: both sides hear of it, each when it does."""
        for connection in self._connections:
            if connection.link is self.link(client):
                for side in (connection.client, connection.server):
                    self.run(self._later(connection, side, self.delay() * 2))

    def died(self, process: Process) -> None:
        """The kernel closes what a dead process had open; the other side hears of it if the link lets it."""
        for connection in self._connections:
            for side, other in ((connection.client, connection.server), (connection.server, connection.client)):
                if side.process is process:
                    connection.break_side(side)
                    wait = self.delay() if connection.link.up and connection.link.down else NOTICED_S
                    self.run(self._later(connection, other, wait))

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _notice(self, connection: Connection, side: Side) -> None:
        await elapse(self._random.random() * NOTICED_S)
        if not (connection.link.up and connection.link.down):
            connection.break_side(side)

    async def _later(self, connection: Connection, side: Side, seconds: float) -> None:
        await elapse(seconds)
        connection.break_side(side)


def _shape(item: Any) -> Any:
    """What the trace keeps of an item: a message by its length, since protobuf may write a map in any order."""
    if isinstance(item, tuple):
        return tuple(_shape(part) for part in item)
    return len(item) if isinstance(item, bytes) else item
