"""Putting a broker together, running it and stopping it.

    data_dir/log.db        the log                       data_dir/snapshots/    states, disposable
    data_dir/artifacts/    files by their content        data_dir/telemetry.db  spans and predictions

Start: open the log (one process to a directory), fold it, listen, write the ready file. Stop (SIGTERM, SIGINT): let
calls end, answer what waits, keep a snapshot. A failed write ends the process with code 70 and the story on stderr;
nothing that was acknowledged is lost by that, nor by SIGKILL.

Exit codes: 0 stopped as asked, 1 could not start or found its disk full in the middle of a write (start it again: it
answers reads without room, and goes on when there is some), 2 wrong usage, 70 broken.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from broker.assembly import Ports, assemble
from broker.config import Config, is_local, parse
from broker.core import freeze
from broker.lines import start_logging
from broker.log.disk import DiskDirectory
from broker.log.embedded import EmbeddedLog
from broker.log.snapshots import Snapshots
from broker.rpc.interceptors import Doorway, authorisation, identity, rate
from broker.rpc.server import Server
from broker.rpc.tracing import Tracing
from broker.runtime import garbage, pages
from broker.runtime.clock import SystemClock
from broker.runtime.contents import Contents
from broker.runtime.history import keep
from broker.runtime.watch import watch
from broker.solver.process import SolverProcess
from broker.telemetry.embedded import Telemetry
from broker.telemetry.exporter import StoreExporter
from tidegate.model.errors import Broken, TidegateError

if TYPE_CHECKING:
    from broker.telemetry.forward import Forwarder

GRACE_S = 3.0
TICK_S = 1.0

logger = logging.getLogger("broker")


async def serve(config: Config, stop: asyncio.Event) -> None:
    """A broker, from its start until `stop` is set. Raises what keeps it from starting, or `Broken`."""
    clock = SystemClock()
    config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = await EmbeddedLog.open(config.data_dir)
    forwarder = _forwarder(config.otlp_forward)
    telemetry = await Telemetry.open(
        config.data_dir, clock.now, pass_on=forwarder.offer if forwarder else lambda request: None
    )
    snapshots = Snapshots(DiskDirectory(config.data_dir / "snapshots"), freeze.FORMAT)
    tracing = Tracing(StoreExporter(telemetry), clock)
    solver = SolverProcess()
    broker = await assemble(
        Ports(clock, log, snapshots, telemetry, Contents(config.data_dir / "artifacts"), tracing, solver),
        heartbeat_ms=config.heartbeat_ms,
        telemetry_bytes_per_s=config.telemetry_bytes_per_s,
    )
    state, loop, sessions = broker.state, broker.loop, broker.sessions
    garbage.keep()
    pages.at_hand()
    server = Server(Doorway((identity, authorisation, rate(clock))), broker.servicers, telemetry)
    address = await server.start(config.listen)
    if not is_local(config.listen):
        logger.warning("insecure: %s can be reached from elsewhere, and whoever does may do anything", address)
    logger.info("listening address=%s epoch=%d offset=%d", address, broker.epoch, state.offset)
    if config.ready_file:
        ready = {"pid": os.getpid(), "address": address, "epoch": broker.epoch, "head": log.head.offset}
        _write_whole(config.ready_file, json.dumps(ready))

    turning = asyncio.create_task(loop.run())
    beside = asyncio.create_task(
        watch(
            loop,
            sessions,
            log,
            snapshots,
            broker.pricing,
            telemetry,
            every_s=min(TICK_S, config.heartbeat_ms / 1_000),
            snapshot_every=config.snapshot_every,
            kept=broker.since,
        )
    )
    forwarding = [asyncio.create_task(forwarder.run())] if forwarder else []
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({turning, beside, stopping, *forwarding}, return_when=asyncio.FIRST_COMPLETED)
        for task in (turning, beside, *forwarding):
            if task.done():
                task.result()  # only an error ends these two
        logger.info("stopping")
        sessions.end_all()
        await solver.close()
        await server.stop(GRACE_S)
        beside.cancel()
        loop.stop()
        await turning
        await asyncio.to_thread(tracing.flush)
        await keep(log, snapshots, state)
        await log.close()
        await telemetry.close()
        logger.info("stopped offset=%d", state.offset)
    finally:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()


def _forwarder(collector: str) -> "Forwarder | None":
    """Whoever names no collector does not wait for an HTTP client to be loaded."""
    if not collector:
        return None
    from broker.telemetry.forward import Forwarder, collector_at

    return Forwarder(collector_at(collector))


def _write_whole(path: Path, text: str) -> None:
    """Whoever sees the file sees all of it."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    part.rename(path)


def main() -> None:
    """The command line."""
    config = parse(sys.argv[1:])
    start_logging(config.log_level)
    garbage.seldom()

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(config, stop)

    try:
        uvloop.run(run())
    except Broken as error:
        logger.critical("broken: %s", error)
        logging.shutdown()
        os._exit(70)  # threads may hang on a disk that does not answer; nothing is lost by leaving now
    except TidegateError as error:
        logger.error("cannot go on: %s", error)
        sys.exit(1)
    except Exception:
        logger.critical("broken", exc_info=True)
        logging.shutdown()
        os._exit(70)
