"""The agents that are attached: what each has been told, and when it was last heard.

A site has at most one session; a newer one takes the place of an older. State is level-triggered: `tell` sends what
lies between the generation last sent and the one that stands, so two changes in one turn are one difference, and
nothing is queued for a site that is not there: it says what it holds when it comes back.

A broken stream is not yet silence. A site counts as silent when nothing was heard from it for `SILENT_BEATS`
heartbeats, on whichever stream; after a start of the broker every joined site has that long to come back. Who was told
to come back later has been heard, and is not silent before it was to be here.

When all agents dial at once, each stands in line; where the line is too long, an agent is given a time of its own to
come back. A change of the probe targets reaches the many in steps.

Limits: 256 messages waiting for one agent (then its stream ends and it dials again), 400 attachments a second and
10 s in line for one, 10 s for an agent to answer about a log, 100 probe targets.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from itertools import islice

from broker.core.commands import SiteAttached, SiteSilent
from broker.core.difference import difference
from broker.core.records import JOINED, UNKNOWN
from broker.core.state import State
from broker.runtime.clock import Clock
from broker.runtime.loop import Loop
from broker.runtime.rates import Appointments
from tidegate.model.errors import NotFound, Unavailable
from tidegate.model.event import SiteView
from tidegate.model.session import (
    BrokerSays,
    ComeBack,
    Hello,
    LogLines,
    LogRequest,
    Probes,
    ProbeTarget,
    Welcome,
)

SILENT_BEATS = 3
OUTGOING = 256
ATTACH_PER_S = 400
LINE_S = 10.0
LOG_ANSWER_S = 10.0
PROBES = 100
PROBES_AT_ONCE = 100
"""Sessions that are told of other targets in one turn; the rest at the looks that follow."""
SILENT_AT_ONCE = 1_000


@dataclass(slots=True, eq=False)
class Session:
    """One attached agent. `told` is the generation it will hold once it has read everything sent so far."""

    number: int
    site: str
    told: int
    held: int = 0
    heard_at: int = 0
    outgoing: "asyncio.Queue[BrokerSays | None]" = field(default_factory=lambda: asyncio.Queue(OUTGOING))
    targets: tuple[ProbeTarget, ...] = ()
    """What it was last told to measure, itself perhaps among them."""
    logs: dict[int, "asyncio.Future[LogLines]"] = field(default_factory=dict)
    ended: bool = False

    def say(self, word: BrokerSays) -> None:
        """Queue a message; where the agent does not read, end the stream instead."""
        if self.ended:
            return
        if self.outgoing.full():
            self.end()
        else:
            self.outgoing.put_nowait(word)

    def end(self) -> None:
        """No more is said. What was asked of it is not answered any more."""
        self.ended = True
        if self.outgoing.full():
            self.outgoing.get_nowait()
        self.outgoing.put_nowait(None)
        for waiting in self.logs.values():
            if not waiting.done():
                waiting.set_exception(Unavailable(f"site {self.site} has gone", field="site", found=self.site))

    async def words(self) -> AsyncIterator[BrokerSays]:
        """What is to be sent, until the session ends."""
        while (word := await self.outgoing.get()) is not None:
            yield word


class Sessions:
    """All of them, by site."""

    def __init__(self, clock: Clock, *, epoch: int, heartbeat_ms: int, telemetry_bytes_per_s: int = 0) -> None:
        self.heartbeat_ms = heartbeat_ms
        self._clock = clock
        self._epoch = epoch
        self._rate = telemetry_bytes_per_s
        self._by_site: dict[str, Session] = {}
        self._heard: dict[str, float] = {}
        self._gone: dict[str, tuple[int, float]] = {}
        """Unknown sites: since when by the wall clock, which names the silence, and by the other one."""
        self._number = 0
        self._request = 0
        self._since = clock.elapsed()
        self._attaching = Appointments(ATTACH_PER_S, ATTACH_PER_S, clock.elapsed())
        self._targets: tuple[ProbeTarget, ...] = ()

    async def attach(self, hello: Hello, loop: Loop) -> Session | ComeBack:
        """Welcome an agent, with the difference from what it holds. NotFound where its site was never applied."""
        now = self._clock.elapsed()
        wait_s, here = self._attaching.take(now, LINE_S)
        self._heard[hello.site] = now + wait_s
        if not here:
            return ComeBack(int(wait_s * 1_000))
        if wait_s:
            await asyncio.sleep(wait_s)
        await loop.ask(SiteAttached(0, hello))
        self._number += 1
        session = Session(self._number, hello.site, hello.held_generation, hello.held_generation)
        if before := self._by_site.get(hello.site):
            before.end()
        self._by_site[hello.site] = session
        self.heard(session)
        session.say(Welcome(session.number, self._epoch, self.heartbeat_ms, self._rate))
        if not await loop.read(lambda state, at: self._first_words(state, session)):
            self.detach(session)
            return ComeBack(self.heartbeat_ms)
        return session

    def _first_words(self, state: State, session: Session) -> bool:
        """Always a difference, even an empty one: the agent then knows that it is up to date.

        False where the site was taken for silent meanwhile (the broker stood still, and asked before it listened): an
        attached agent of a silent site would never be heard as joined again.
        """
        if state.sites[session.site].state != JOINED:
            return False
        word = difference(state.sites[session.site], session.told)
        session.told = word.generation
        session.say(word)
        session.say(self._probes(session))
        return True

    def detach(self, session: Session) -> None:
        """The stream has ended. The site is not silent for that."""
        session.end()
        if self._by_site.get(session.site) is session:
            del self._by_site[session.site]

    def heard(self, session: Session, held: int = -1) -> None:
        """Anything at all came from the agent; a heartbeat says what generation it holds."""
        self._heard[session.site] = self._clock.elapsed()
        session.heard_at = self._clock.now()
        session.held = held if held >= 0 else session.held

    def heard_of(self, site: str) -> None:
        """Telemetry came from an attached site: its heartbeat may be right behind it."""
        if session := self._by_site.get(site):
            self.heard(session)

    def as_heard(self, view: SiteView) -> SiteView:
        """A site as the log knows it, with what only its session knows: when it was last heard, what it holds."""
        session = self._by_site.get(view.site.name)
        if session is None:
            return view
        return replace(view, last_seen=session.heard_at, held_generation=session.held)

    def tell(self, state: State, site: str) -> None:
        """Send what has changed since the last difference, if the site is attached and anything has."""
        session = self._by_site.get(site)
        if session is None or state.sites[site].generation == session.told:
            return
        word = difference(state.sites[site], session.told)
        session.told = word.generation
        session.say(word)

    def refresh_probes(self, state: State) -> None:
        """Everyone measures the sites that can be probed now; the many hear of it little by little (`tell_probes`)."""
        with_address = ((name, record.address) for name, record in state.sites.items() if record.address)
        targets = tuple(ProbeTarget(name, address) for name, address in islice(with_address, PROBES + 1))
        if targets != self._targets:
            self._targets = targets
            self.tell_probes()

    def tell_probes(self) -> None:
        """Tell some of those who measure something else yet."""
        behind = (session for session in self._by_site.values() if session.targets is not self._targets)
        for session in list(islice(behind, PROBES_AT_ONCE)):
            session.say(self._probes(session))

    def _probes(self, session: Session) -> Probes:
        session.targets = self._targets
        return Probes(tuple(target for target in self._targets if target.site != session.site)[:PROBES])

    async def silence(self, loop: Loop) -> None:
        """Tell the loop of every joined site that has been silent for too long."""
        now, allowed = self._clock.elapsed(), SILENT_BEATS * self.heartbeat_ms / 1_000
        joined = await loop.read(lambda state, at: [n for n, r in state.sites.items() if r.state == JOINED])
        silent: list[str] = []
        for site in joined:
            if now - self._heard.get(site, self._since) > allowed:
                if session := self._by_site.get(site):
                    self.detach(session)
                silent.append(site)
        for start in range(0, len(silent), SILENT_AT_ONCE):  # side by side, so that they share a sync
            await asyncio.gather(*(loop.ask(SiteSilent(0, site)) for site in silent[start : start + SILENT_AT_ONCE]))

    def silences(self, state: State, at: int) -> dict[str, int]:
        """For how long each unknown site has been so, ms: by the wall clock until it is first asked for here (in an
        earlier life of the broker, say), and from then on by the clock that is never set.
        """
        now, before = self._clock.elapsed(), self._gone
        gone = {name: record.since for name, record in state.sites.items() if record.state == UNKNOWN}
        self._gone = {
            name: before[name]
            if name in before and before[name][0] == since
            else (since, now - max(0, at - since) / 1_000)
            for name, since in gone.items()
        }
        return {name: int((now - began) * 1_000) for name, (_, began) in self._gone.items()}

    async def logs(self, site: str, workload_id: str, offset: int) -> LogLines:
        """A piece of a workload's log, asked of the agent. Unavailable where the site does not answer."""
        session = self._by_site.get(site)
        if session is None:
            raise Unavailable(f"site {site} cannot be reached", field="site", found=site)
        self._request += 1
        number = self._request
        waiting = session.logs[number] = asyncio.get_running_loop().create_future()
        session.say(LogRequest(number, workload_id, offset))
        try:
            async with asyncio.timeout(LOG_ANSWER_S):
                lines: LogLines = await waiting
        except TimeoutError:
            raise Unavailable(f"site {site} did not answer about the log", field="site", found=site) from None
        finally:
            session.logs.pop(number, None)
        if lines.error:
            raise NotFound(lines.error, field="workload", found=workload_id)
        return lines

    def answered(self, session: Session, lines: LogLines) -> None:
        """An agent's answer to `logs`; one that nobody waits for any more is dropped."""
        waiting = session.logs.get(lines.request)
        if waiting is not None and not waiting.done():
            waiting.set_result(lines)

    def end_all(self) -> None:
        """The broker stops: agents go on with what they hold."""
        for session in tuple(self._by_site.values()):
            session.end()
