"""One cluster, several jobs: up when the first one comes, down when none has been there for `idle_s`.

A cluster is taken while somebody holds it. Bringing it up is one effort shared by all who wait, and it goes on when one
of them gives up. The last one to let go starts the idle time; whoever comes within it finds the cluster warm.

A cluster that an earlier process left behind has nobody either: `adopt` gives it the idle time to be claimed in.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

from agents.drivers.ray.provider import Cluster, Provider
from tidegate.model.errors import TidegateError

log = logging.getLogger(__name__)

SpanSink = Callable[[str, int, int, Mapping[str, str | int]], None]
"""Told of each finished stretch of work: name, start and end in ns since the epoch, attributes."""


class Tenancy:
    """Who needs the cluster, and so whether there is one."""

    def __init__(self, provider: Provider, idle_s: float, now_ns: Callable[[], int], on_span: SpanSink) -> None:
        """`now_ns` is the wall clock in ns; spans `ray.cluster.up` and `ray.cluster.down` go to `on_span`."""
        self._provider = provider
        self._idle_s = idle_s
        self._now_ns = now_ns
        self._on_span = on_span
        self._holders: set[str] = set()
        self._change = asyncio.Lock()
        self._coming: asyncio.Task[Cluster] | None = None
        self._going: asyncio.Task[None] | None = None

    def adopt(self) -> None:
        """Called once, at the start: what was left running goes down unless somebody holds it in time."""
        if not self._holders and self._going is None:
            self._going = asyncio.create_task(self._leave_when_idle())

    def hold(self, holder: str) -> None:
        """Keep the cluster, if there is one, until `release`."""
        self._holders.add(holder)
        if self._going:
            self._going.cancel()
            self._going = None

    def release(self, holder: str) -> None:
        """Let go; the last one starts the idle time."""
        self._holders.discard(holder)
        if not self._holders and self._going is None:
            self._going = asyncio.create_task(self._leave_when_idle())

    async def cluster(self) -> Cluster:
        """The running cluster, brought up where there is none. Only for holders. Raises Unavailable."""
        if self._coming is None or self._coming.done():
            async with self._change:  # one that is being taken down is none
                running = await self._provider.current()
            if running is not None:
                return running
        if self._coming is None or self._coming.done():
            self._coming = asyncio.create_task(self._bring_up())
        return await asyncio.shield(self._coming)

    async def current(self) -> Cluster | None:
        """The running cluster; starts nothing."""
        return await self._provider.current()

    async def close(self, *, leave: bool) -> None:
        """End our own efforts, and the cluster too unless it is to be left running."""
        for effort in (self._going, self._coming):
            if effort is not None and not effort.done():
                effort.cancel()
                await asyncio.gather(effort, return_exceptions=True)
        if not leave:
            await self._take_down()

    async def _bring_up(self) -> Cluster:
        async with self._change:
            began = self._now_ns()
            cluster = await self._provider.up()
            self._on_span("ray.cluster.up", began, self._now_ns(), {"ray.cluster": cluster.id})
            return cluster

    async def _leave_when_idle(self) -> None:
        """Cancelled by whoever comes in time."""
        await asyncio.sleep(self._idle_s)
        self._going = None  # from here on it is not cancelled: a newcomer waits at the lock for its own cluster
        try:
            await self._take_down(only_if_idle=True)
        except TidegateError:
            log.exception("the idle ray cluster does not go down")

    async def _take_down(self, *, only_if_idle: bool = False) -> None:
        async with self._change:
            if only_if_idle and self._holders:
                return
            cluster = await self._provider.current()
            began = self._now_ns()
            await self._provider.down()
            if cluster:
                self._on_span("ray.cluster.down", began, self._now_ns(), {"ray.cluster": cluster.id})
