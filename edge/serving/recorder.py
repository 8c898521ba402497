"""Telemetry into the spool: durable before the answer where the audit asks for it, soon after it otherwise.

Concurrent requests share a commit: while one batch is being synced, what arrives meanwhile gathers into the next, in
records of `RECORD_CALLS` at most: a record crosses a thin link whole, and a word waits behind it. A lone caller waits
for one sync.

With `audit: every_prediction` a prediction's `keep` returns when its record is durable. If the spool cannot take it,
that raises `Unavailable`, and the client is told so instead of getting an answer that nobody could account for.
Everything else (spans of other calls, sampled predictions, loads) is flushed once in `FLUSH_SECONDS` or when
`FLUSH_CALLS` wait; when the spool cannot take those they are shed, counted and logged. Beside the batch that is being
written at most `WAITING_CALLS` wait: the next prediction then waits too, and what nobody waits for is shed.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from agents.spool import Fact, Kind, ShedClass
from edge.serving.prediction import Call, Load, Origin, predictions_payload, spans_payload
from tidegate.model.errors import Broken, Unavailable
from tidegate.model.workload import Audit

FLUSH_SECONDS = 0.2
FLUSH_CALLS = 256
WAITING_CALLS = 4096
RECORD_CALLS = 16
"""Some 8 KiB of spans, which 20 kbit/s carry in three seconds."""

Told = TypeVar("Told", bound=Call | Load)

log = logging.getLogger(__name__)


class Recorder(Protocol):
    """Where calls are told to."""

    def records(self, trace_id: bytes) -> bool:
        """Whether the call of that trace leaves a prediction record, beside its span."""

    async def keep(self, call: Call) -> None:
        """Returns when the answer may go out. Unavailable when it may not."""

    def note(self, fact: Call | Load) -> None:
        """Tell in the background: a call that was refused, a load."""

    async def close(self) -> None:
        """Take no more; returns when all that was taken is in the spool."""


class Spool(Protocol):
    """The part of `agents.spool.GroupCommit` that is used here."""

    async def append(self, facts: Sequence[Fact]) -> int: ...

    async def close(self) -> None: ...


class NoRecorder:
    """Keeps nothing: a server without a spool."""

    def records(self, trace_id: bytes) -> bool:
        return False

    async def keep(self, call: Call) -> None:
        return None

    def note(self, fact: Call | Load) -> None:
        return None

    async def close(self) -> None:
        return None


class SpoolRecorder:
    """The recorder of a server with a spool. Made and used on one event loop."""

    def __init__(
        self, spool: Spool, origin: Origin, audit: Audit, sample_every: int, on_broken: Callable[[Broken], None]
    ) -> None:
        """`on_broken` is called once, when the spool's promises no longer hold: the process must end."""
        self._spool = spool
        self._origin = origin
        self._audit = audit
        self._sample_every = sample_every
        self._on_broken = on_broken
        self._waiting: list[Call | Load] = []
        self._awaited: list[asyncio.Future[None]] = []
        self._urgent = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._turn())
        self.shed = 0
        """Calls whose telemetry the spool could not take."""

    def records(self, trace_id: bytes) -> bool:
        if self._audit is Audit.SAMPLED:
            return int.from_bytes(trace_id[8:]) % self._sample_every == 0
        return self._audit is Audit.EVERY_PREDICTION

    async def keep(self, call: Call) -> None:
        if self._audit is Audit.EVERY_PREDICTION or len(self._waiting) >= WAITING_CALLS:
            if self._closing:
                raise Unavailable("the server is stopping")
            written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._awaited.append(written)
            self._waiting.append(call)
            self._urgent.set()
            await written
        else:
            self.note(call)

    def note(self, fact: Call | Load) -> None:
        if len(self._waiting) >= WAITING_CALLS:
            self.shed += 1
            return
        self._waiting.append(fact)
        if len(self._waiting) >= FLUSH_CALLS:
            self._urgent.set()

    async def close(self) -> None:
        self._closing = True
        self._urgent.set()
        await self._task
        await self._spool.close()

    async def _turn(self) -> None:
        while not self._closing or self._waiting:
            if not self._urgent.is_set():
                try:
                    async with asyncio.timeout(FLUSH_SECONDS):
                        await self._urgent.wait()
                except TimeoutError:
                    pass
            self._urgent.clear()
            if self._waiting:
                await self._write()

    async def _write(self) -> None:
        told, self._waiting = self._waiting, []
        awaited, self._awaited = self._awaited, []
        try:
            await self._spool.append(self._facts(told))
        except Unavailable as error:
            self.shed += len(told)
            log.warning("the spool took nothing: %s; %d calls shed so far", error, self.shed)
            # Each waiting call needs an exception of its own: a traceback grows on the object as it is raised.
            for written in awaited:
                _settle(written, Unavailable(f"the spool cannot take the record: {error}", field="spool"))
        except Broken as error:
            for written in awaited:
                _settle(written, Broken(str(error)))
            self._closing = True
            self._on_broken(error)
        else:
            for written in awaited:
                _settle(written, None)

    def _facts(self, told: Sequence[Call | Load]) -> list[Fact]:
        """Records first, then spans by what may be shed: a failure outlives a success."""
        recorded = [fact for fact in told if isinstance(fact, Call) and fact.recorded]
        failed = [fact for fact in told if fact.error]
        well = [fact for fact in told if not fact.error]
        kept = ShedClass.AUDIT if self._audit is Audit.EVERY_PREDICTION else ShedClass.OK
        facts = [
            Fact(Kind.PREDICTIONS, kept, _at(some), len(some), predictions_payload(self._origin, some))
            for some in _records(recorded)
        ]
        for spans, shed_class in ((failed, ShedClass.ERROR), (well, ShedClass.OK)):
            for some in _records(spans):
                facts.append(Fact(Kind.SPANS, shed_class, _at(some), len(some), spans_payload(self._origin, some)))
        return facts


def _records(told: Sequence[Told]) -> list[Sequence[Told]]:
    """As many of them as go into one record, in order."""
    return [told[start : start + RECORD_CALLS] for start in range(0, len(told), RECORD_CALLS)]


def _at(told: Sequence[Call | Load]) -> int:
    return told[0].started_ns // 1_000_000


def _settle(written: "asyncio.Future[None]", error: Exception | None) -> None:
    """A caller that was cancelled meanwhile has no use for the outcome."""
    if written.done():
        return
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(error)
