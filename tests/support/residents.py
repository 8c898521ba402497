"""Many agents in one process: each speaks through the agents' own `Link`, over a connection of its own.

What stands behind a link is the agents' own `Held`; the engine and the disk are left out, since a storm is about the
link. A resident says at once that what it holds runs, as a device does that served all along.

    python -m tests.support.residents --broker ADDR --sites FILE --told FILE

`sites` has a name a line. `told` is written anew twice a second: JSON, `{site: [generation, sessions]}` of those that
have a session now. It ends when its standard input does.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import agents.link.session as session
import agents.link.telemetry as telemetry
from agents.clock import SystemClock
from agents.core.held import Held
from agents.drivers.base import LogChunk
from agents.link.session import Identity, Link
from tidegate.model.assignment import Phase, Status
from tidegate.model.session import Difference

SECONDS_BETWEEN_LOOKS = 5.0
"""Of ten thousand idle spools and probe lists in one process; each agent has a process of its own otherwise."""
FIRST_WORD_SECONDS = 120.0
"""All share one loop, so that an answer lies here unread while thousands of others are read."""
AT_ONCE = 100
"""Agents that are switched on together; a storm after that takes the pace that their backoff gives."""


class Resident:
    """`agents.runtime.site.Site` as far as a link knows it."""

    def __init__(self, site: str) -> None:
        self.held = Held(site)
        self.carrier: Any = None
        self.pending: dict[str, tuple[int, Status]] = {}
        self.news = asyncio.Event()
        self.sequence = 0
        self.sessions = 0
        self.current = False
        """Whether it has had a difference in this session: then it holds what the broker wants it to hold."""

    @property
    def running(self) -> tuple[str, ...]:
        return tuple(self.held.assignments)

    def greeted(self, epoch: int) -> None:
        self.held = replace(self.held.greeted(epoch), away_since=0)
        self.sessions += 1

    def told(self, difference: Difference) -> None:
        self.held = self.held.told(difference)
        self.current = True
        for assignment in difference.upserts:
            self.sequence += 1
            status = Status(assignment.workload_id, assignment.generation, Phase.RUNNING)
            self.pending[assignment.workload_id] = (self.sequence, status)
            self.news.set()

    def lost(self, at: int) -> None:
        self.current = False
        if not self.held.away_since:
            self.held = replace(self.held, away_since=at)

    def reported(self, sequence: int) -> None:
        self.pending = {key: each for key, each in self.pending.items() if each[0] > sequence}

    async def logs(self, workload_id: str, offset: int) -> LogChunk:
        return LogChunk("", offset, True)


class _NoSpool:
    """Nothing waits."""

    def streams(self) -> list[str]:
        return []


async def live(broker: str, sites: list[str], told: Path, ended: asyncio.Event) -> None:
    """All of them, until `ended`."""
    clock, residents = SystemClock(), [Resident(site) for site in sites]
    links = [
        Link(broker, Identity(each.held.site, f"boot-{number}", "127.0.0.1:9", ""), each, _NoSpool(), clock)  # type: ignore[arg-type]
        for number, each in enumerate(residents)
    ]
    running: list[asyncio.Task[None]] = []
    try:
        for start in range(0, len(links), AT_ONCE):
            running += [asyncio.create_task(link.run()) for link in links[start : start + AT_ONCE]]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await ended.wait()
        while not ended.is_set():
            now = {each.held.site: [each.held.generation, each.sessions] for each in residents if each.current}
            part = told.with_suffix(".part")
            part.write_text(json.dumps(now))
            part.replace(told)
            for task in running:
                if task.done():
                    task.result()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await ended.wait()
    finally:
        for task in running:
            task.cancel()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    for name in ("--broker", "--sites", "--told"):
        parser.add_argument(name, required=True)
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    session.FIRST_WORD_SECONDS = FIRST_WORD_SECONDS
    telemetry.REST_SECONDS = session.NO_TARGETS_SECONDS = SECONDS_BETWEEN_LOOKS

    async def run() -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()

        def listen() -> None:
            sys.stdin.read()
            loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=listen, daemon=True).start()
        await live(chosen.broker, Path(chosen.sites).read_text().split(), Path(chosen.told), ended)

    asyncio.run(run())


if __name__ == "__main__":
    main(sys.argv[1:])
