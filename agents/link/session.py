"""The session: one stream that the agent dials out, and dials again for ever.

Opening: Hello (what is held, what runs, what was observed) -> Welcome -> a Difference, when there is one. Then each
side speaks when it has something: heartbeats on the broker's beat, reports until acknowledged, round trips, log lines.

A broker of which nothing came for three beats, neither a word nor a piece of a file nor a receipt, is taken for gone.
What is long goes in pieces (`agents.link.pace`), and a report or a measurement waits until the one before has been
answered for, so that a word is never behind more than a second or two of a thin link.

The wait before dialling again is full jitter over a capped exponential; `ComeBack` is the broker's own wait, which it
spreads itself: a tenth of jitter goes on top. Nothing here stops work.

A difference that applies to another generation than the held one closes the session; the next Hello says generation 0,
and the broker answers with the whole.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import grpc

from agents.clock import Clock
from agents.core.backoff import DIAL_FIRST_MS, DIAL_LONGEST_MS, delay_ms
from agents.drivers.base import LOG_CHUNK_BYTES
from agents.link.artifacts import Carrier
from agents.link.fault import fault_of
from agents.link.pace import Paces
from agents.link.probe import round_trips
from agents.link.telemetry import BATCH_BYTES, drain
from agents.runtime.site import Site
from agents.spool import SpoolReader
from tidegate.model import session as says
from tidegate.model.errors import Conflict, Refused, TidegateError, Unavailable
from tidegate.model.site import Offer
from tidegate.model.sketch import NEEDED_FOR_P99
from tidegate.model.window import Window
from tidegate.v1 import agents_pb2, agents_pb2_grpc
from tidegate.wire.channel import CLIENT_OPTIONS
from tidegate.wire.codec import union_from_message, union_to_message

log = logging.getLogger(__name__)

MISSED_BEATS = 3
LONGEST_TOLD_MS = 600_000
"""Of a heartbeat, or of a wait that the broker asks for: whatever it says, an agent is heard of again within that."""
MOST_TARGETS = 1_000
FIRST_WORD_SECONDS = 30.0
"""A broker to which a whole fleet returns lets agents stand in line for some of it."""
PROBE_SECONDS = 15.0
FIRST_PROBES_SECONDS = 3.0
"""Between rounds while some window is too small to bound its 99th percentile."""
NO_TARGETS_SECONDS = 0.5
PROBES_AT_ONCE = 16
LINKS_A_WORD = 100
LINK_BYTES = STATUS_BYTES = 512
"""About as long as what is told of one link or one workload."""
MOST_LOG_REQUESTS = 16


@dataclass(frozen=True, slots=True)
class Identity:
    """What Hello says beside the held state."""

    site: str
    boot: str
    address: str
    location: str
    """Where this site stands, as an origin of requests; round trips are measured from there."""
    offers: tuple[Offer, ...] = ()


Say = Callable[[says.AgentSays], Awaitable[int]]
"""A word to the broker; how many bytes it was."""

Dial = Callable[[str], grpc.aio.Channel]
"""From the broker's address to a channel, which closes when its context ends."""


def dial(broker: str) -> grpc.aio.Channel:
    """A real channel."""
    return grpc.aio.insecure_channel(broker, options=CLIENT_OPTIONS)


class Link:
    """Keeps a session with the broker whenever there is one. `joined` and `lost` tell what an edge does about it."""

    def __init__(
        self,
        broker: str,
        identity: Identity,
        site: Site,
        spool: SpoolReader,
        clock: Clock,
        *,
        dial: Dial = dial,
        joined: Callable[[], None] = lambda: None,
        lost: Callable[[], None] = lambda: None,
        share: Callable[[int], int] = lambda granted: granted,
    ) -> None:
        self._broker = broker
        self._identity = identity
        self._site = site
        self._spool = spool
        self._clock = clock
        self._dial = dial
        self._joined = joined
        self._lost = lost
        self._share = share
        self._whole = False
        self._targets: tuple[says.ProbeTarget, ...] = ()
        self._windows: dict[str, Window] = {}
        self._granted = 0
        self._paces = Paces(clock, BATCH_BYTES, LOG_CHUNK_BYTES)
        self._heard_us = 0
        self._reported = asyncio.Event()
        self._echo, self._echo_of = asyncio.Event(), 0

    async def run(self) -> None:
        """Dial, speak, and dial again, until cancelled."""
        attempt = 0
        while True:
            welcomed = asyncio.Event()
            began, wait = self._clock.monotonic_us(), 0
            try:
                wait = await self._session(welcomed)
            except (Unavailable, Refused) as error:
                log.info("no session with %s: %s", self._broker, error)
            if welcomed.is_set():
                # A broker that welcomes and then fails is not dialled ten times a second.
                attempt = 0 if self._clock.monotonic_us() - began > DIAL_LONGEST_MS * 1000 else attempt
                log.warning("the link to %s is gone; work goes on", self._broker)
            self._site.carrier = None
            self._site.lost(self._clock.now_ms())
            self._lost()
            if wait:
                await asyncio.sleep(wait * (1 + self._clock.fraction() / 10) / 1000)
                continue
            jitter = delay_ms(attempt, self._clock.fraction(), DIAL_FIRST_MS, DIAL_LONGEST_MS)
            attempt += 1
            await asyncio.sleep(jitter / 1000)

    async def _session(self, welcomed: asyncio.Event) -> int:
        """One session, to its end; how long the broker wants the agent to stay away, in ms."""
        async with self._dial(self._broker) as channel:
            self._alive()
            call = agents_pb2_grpc.AgentsStub(channel).Attach()
            try:
                await self._say(call, self._hello())
                first = await self._hear(call, FIRST_WORD_SECONDS)
                if isinstance(first, says.ComeBack):
                    return _bounded(first.after_ms)
                if not isinstance(first, says.Welcome):
                    raise Unavailable("the broker did not welcome", found=type(first).__name__)
                self._site.greeted(first.epoch)
                self._site.carrier = Carrier(channel, self._paces, self._alive)
                self._granted = first.telemetry_bytes_per_s
                self._whole = False
                welcomed.set()
                self._joined()
                log.info("joined %s in session %d, epoch %d", self._broker, first.session, first.epoch)
                return await self._talk(call, channel, first)
            except grpc.aio.AioRpcError as error:
                raise fault_of(error) from error
            finally:
                call.cancel()

    async def _talk(self, call: Any, channel: grpc.aio.Channel, welcome: says.Welcome) -> int:
        saying = asyncio.Lock()  # a stream takes one write at a time

        async def say(what: says.AgentSays) -> int:
            async with saying:
                return await self._say(call, what)

        beat = max(0.1, _bounded(welcome.heartbeat_ms) / 1000)
        self._paces.beats(beat)
        parts: list[Coroutine[Any, Any, int | None]] = [
            self._listen(call, say, beat * MISSED_BEATS + 1),
            self._beat(say, beat),
            self._report(say),
            self._measure(say),
            drain(
                channel,
                self._spool,
                self._identity.site,
                lambda: self._share(self._granted),
                self._paces.telemetry,
                self._alive,
            ),
        ]
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result() or 0
        except TimeoutError as error:
            raise Unavailable("the broker went silent") from error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, call: Any, say: Say, patience: float) -> int:
        reading: set[asyncio.Task[None]] = set()
        try:
            while True:
                heard = await self._hear(call, patience)
                match heard:
                    case says.Difference():
                        try:
                            self._site.told(heard)
                        except Conflict as error:
                            self._whole = True
                            raise Unavailable(f"asking for the whole: {error}") from error
                    case says.Reported():
                        self._site.reported(heard.sequence)
                        self._reported.set()
                    case says.HeartbeatSeen():
                        if heard.sent_at == self._echo_of:
                            self._echo.set()
                    case says.Probes():
                        self._targets = heard.targets[:MOST_TARGETS]
                    case says.LogRequest():
                        if len(reading) < MOST_LOG_REQUESTS:
                            reading.add(task := asyncio.create_task(self._log(say, heard)))
                            task.add_done_callback(reading.discard)
                    case says.ComeBack():
                        return _bounded(heard.after_ms)
                    case _:
                        continue
        finally:
            for task in reading:
                task.cancel()

    async def _log(self, say: Say, asked: says.LogRequest) -> None:
        with contextlib.suppress(grpc.aio.AioRpcError):
            try:
                chunk = await self._site.logs(asked.workload_id, asked.offset)
            except TidegateError as error:
                await say(says.LogLines(asked.request, "", asked.offset, complete=True, error=error.message))
                return
            async with self._paces.logs.piece() as piece:
                short = chunk.cut(piece.bytes)
                moved = await say(says.LogLines(asked.request, short.text, short.next_offset, short.complete))
                await self._echoed(say)
                piece.moved = moved

    async def _echoed(self, say: Say) -> None:
        """Until the broker has answered a heartbeat, and so has read all that was said before it."""
        self._echo.clear()
        self._echo_of = self._clock.now_ms()
        await say(says.Heartbeat(self._echo_of, self._site.held.generation))
        await self._echo.wait()

    async def _beat(self, say: Say, beat: float) -> None:
        while True:
            await asyncio.sleep(beat)
            await say(says.Heartbeat(self._clock.now_ms(), self._site.held.generation))

    async def _report(self, say: Say) -> None:
        """All that the broker has not acknowledged, oldest first, at the start and whenever something changed."""
        while True:
            self._site.news.clear()
            while waiting := sorted(self._site.pending.values(), key=lambda each: each[0]):
                async with self._paces.reports.piece() as piece:
                    some = waiting[: max(1, piece.bytes // STATUS_BYTES)]
                    self._reported.clear()
                    moved = await say(says.Report(some[-1][0], tuple(status for _, status in some)))
                    await self._reported.wait()
                    piece.moved = moved
            await self._site.news.wait()

    async def _measure(self, say: Say) -> None:
        """Probe every target, tell what the last minutes say of each, rest; quicker while there is little to say, and
        so long that telling it takes no more than a tenth of the link.
        """
        probing = asyncio.Semaphore(PROBES_AT_ONCE)

        async def probe(target: says.ProbeTarget) -> None:
            async with probing:
                times = await round_trips(target.address, self._clock)
            if times:
                window = self._windows.get(target.site, Window())
                self._windows[target.site] = window.after(times, self._clock.monotonic_us() // 1_000)

        while True:
            targets = self._targets if self._identity.location else ()
            self._windows = {t.site: self._windows[t.site] for t in targets if t.site in self._windows}
            await asyncio.gather(*(probe(target) for target in targets))
            told = [window.probed(self._identity.location, site) for site, window in self._windows.items()]
            telling = 0.0
            while told:
                async with self._paces.measured.piece() as piece:
                    links = max(1, min(LINKS_A_WORD, piece.bytes // LINK_BYTES))
                    moved = await say(says.Measured(tuple(told[:links])))
                    await self._echoed(say)
                    piece.moved = moved
                telling, told = telling + self._paces.measured.busy_seconds, told[links:]
            little = any(window.samples < NEEDED_FOR_P99 for window in self._windows.values())
            rest = FIRST_PROBES_SECONDS if little else PROBE_SECONDS if targets else NO_TARGETS_SECONDS
            await asyncio.sleep(max(rest, telling * 9))

    def _hello(self) -> says.Hello:
        held = self._site.held
        return says.Hello(
            site=self._identity.site,
            boot=self._identity.boot,
            held_generation=0 if self._whole else held.generation,
            address=self._identity.address,
            offers=self._identity.offers,
            running=self._site.running,
            away_since=held.away_since,
        )

    async def _say(self, call: Any, what: says.AgentSays) -> int:
        """Hand it to the transport; how many bytes it is."""
        message = agents_pb2.AttachRequest(says=union_to_message(says.AgentSays, what))
        try:
            await call.write(message)
        except asyncio.InvalidStateError as error:
            raise Unavailable("the stream is closed") from error
        return message.ByteSize()

    def _alive(self) -> None:
        """Something came from the broker."""
        self._heard_us = self._clock.monotonic_us()

    async def _hear(self, call: Any, seconds: float) -> says.BrokerSays:
        """Its next word. Unavailable where nothing at all has come from it for so long."""
        reading = asyncio.ensure_future(call.read())
        try:
            while not reading.done():
                left = seconds - (self._clock.monotonic_us() - self._heard_us) / 1_000_000
                if left <= 0:
                    raise Unavailable("the broker is silent", found=f"{seconds:g} s")
                await asyncio.wait({reading}, timeout=left)
        finally:
            reading.cancel()
        answer = reading.result()
        self._alive()
        if answer is grpc.aio.EOF:
            raise Unavailable("the broker closed the session")
        heard: says.BrokerSays = union_from_message(says.BrokerSays, answer.says)
        return heard


def _bounded(told_ms: int) -> int:
    return min(max(told_ms, 0), LONGEST_TOLD_MS)
