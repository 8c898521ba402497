"""An agent, put together: `python -m agents --site NAME --broker ADDR --data-dir D --engines ray,process`.

    <data-dir>/held.json    what the broker told (`agents.store`)      <data-dir>/cache    files by digest
    <data-dir>/tasks/<id>   a folder per workload, its driver's own    <data-dir>/spool    telemetry that waits

Tending begins before the first dial, so what was held is running again whether or not a network is there.

SIGTERM ends the agent alone. Services go on serving, and the next agent finds them: silence never stops work. With
`--stop-services-on-exit` (a fleet on a developer's machine) they are stopped too. Ray clusters come down with the
agent. SIGKILL leaves everything running for the next agent.

Exit codes: 0 ended on request; 1 broken (the log has the story); 2 the configuration is refused; 4 the world (another
agent uses the folder, the disk is full).
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agents.cache import ContentCache
from agents.clock import Clock, SystemClock
from agents.config import AgentConfig, parse
from agents.engines import drivers
from agents.gpu.nvml import discover, offers
from agents.link.probe import responder
from agents.link.session import Identity, Link
from agents.runtime.site import Site
from agents.spool import Limits, SpoolReader, SpoolWriter, StreamTaken
from agents.store import HeldStore
from agents.telemetry import SpanRecorder
from tidegate.files import RealFiles, fault, put
from tidegate.model.errors import Broken, Refused, Unavailable
from tidegate.model.workload import WorkloadKind

ENDED, BROKEN, CONFIGURATION, WORLD = 0, 1, 2, 4
STREAM = "agent"
LEFT_BEHIND_S = 5.0
"""How long the lock of a killed agent may outlive it: a process that it was starting has it until that runs."""

log = logging.getLogger("agents")


@dataclass(frozen=True, slots=True)
class LinkHooks:
    """What an edge adds: it hears of the link, and divides what the broker grants."""

    joined: Callable[[], None] = lambda: None
    lost: Callable[[], None] = lambda: None
    share: Callable[[int], int] = lambda granted: granted


Hooks = Callable[[AgentConfig, Clock, Site, SpanRecorder, SpoolReader], LinkHooks]


def plain(config: AgentConfig, clock: Clock, site: Site, spans: SpanRecorder, spool: SpoolReader) -> LinkHooks:
    """An agent that does nothing about the link but dial."""
    return LinkHooks()


def main(arguments: Sequence[str], program: str = "agents", engines: str = "process", hooks: Hooks = plain) -> int:
    """Run an agent until it is told to end; the exit code."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        config = parse(arguments, program, engines)
        if config.insecure_listen:
            log.warning("listening on %s without identity: anyone who reaches it can call it", config.listen_host)
        asyncio.run(live(config, hooks))
    except Refused as error:
        log.error("not started: %s", error)
        return CONFIGURATION
    except Unavailable as error:
        log.error("ended: %s", error)
        return WORLD
    except Broken as error:
        log.critical("broken: %s", error)
        return BROKEN
    return ENDED


async def live(config: AgentConfig, hooks: Hooks = plain) -> None:
    """The whole life of one agent. Raises the families; returns after SIGTERM or SIGINT."""
    files, folder, clock = RealFiles(), config.data_dir.resolve(), SystemClock()
    spool_root = str(folder / "spool")
    try:
        files.make_directory(str(folder))
    except OSError as error:
        raise fault("making the data folder", str(folder), error) from error
    with await opened(files, spool_root, Limits(max_bytes=config.spool_bytes), clock) as spool:
        spans = SpanRecorder(spool, config.site, clock)
        gpus = discover()
        engines = drivers(config, spans, clock, gpus)
        site = Site(
            HeldStore(files, str(folder), config.site),
            ContentCache(folder / "cache"),
            engines,
            spans,
            folder / "tasks",
            clock,
            config.serving_host,
            gpus,
        )
        answering = await responder(config.listen_host)
        host, port = answering.sockets[0].getsockname()[:2]
        reader = SpoolReader(files, spool_root)
        hooked = hooks(config, clock, site, spans, reader)
        link = Link(
            config.broker,
            Identity(
                config.site,
                clock.token(8).hex(),
                config.advertise or f"{host}:{port}",
                config.location or config.site,
                offers(gpus),
            ),
            site,
            reader,
            clock,
            joined=hooked.joined,
            lost=hooked.lost,
            share=hooked.share,
        )
        try:
            await _until_told(config, clock, site, link, f"{host}:{port}")
        finally:
            answering.close()
            if config.stop_services_on_exit:
                await site.stop_all(WorkloadKind.INFERENCE_SERVICE)
            for driver in engines.values():
                await driver.close()


async def opened(files: RealFiles, root: str, limits: Limits, clock: Clock) -> SpoolWriter:
    """The agent's stream, once nobody else writes it; Unavailable where somebody still does after `LEFT_BEHIND_S`."""
    until = clock.monotonic_us() + int(LEFT_BEHIND_S * 1_000_000)
    while True:
        try:
            return SpoolWriter(files, root, STREAM, limits)
        except StreamTaken:
            if clock.monotonic_us() >= until:
                raise
        await asyncio.sleep(0.05)


async def _until_told(config: AgentConfig, clock: Clock, site: Site, link: Link, address: str) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    work = [asyncio.create_task(site.run()), asyncio.create_task(link.run())]
    if config.ready_file is not None:
        ready = {"pid": os.getpid(), "site": config.site, "address": address, "at": clock.now_ms()}
        put(RealFiles(), str(config.ready_file), [json.dumps(ready).encode()])
    stopped = asyncio.create_task(told.wait())
    try:
        done, _ = await asyncio.wait([*work, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    except* (Broken, Unavailable, Refused) as group:
        raise group.exceptions[0] from None
    finally:
        for task in (*work, stopped):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*work, stopped, return_exceptions=True)
