"""The site: holds the broker's word, tends every task, keeps what is to be reported until the broker has it.

One tender per workload, so one operation at a time per task and none waits for another's. A tender looks, asks
`core.machine` for the one next step, does it, and looks again. `Unavailable` is retried with backoff for ever;
`Refused` fails the assignment, and is retried as well where it is to end; anything else is a fault of ours and ends
the process.

Nothing here needs the broker, except the files that are not on this machine yet. To end work takes neither its files
nor its GPUs.

It is longer than other files because held state, tenders and reports change together: the order between them (held is
written before it is told) is read in one place.
"""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from agents.cache.cache import ContentCache
from agents.clock import Clock
from agents.core.backoff import RETRY_FIRST_MS, RETRY_LONGEST_MS, delay_ms
from agents.core.held import Held
from agents.core.lifecycle import advance
from agents.core.machine import Seen, Step, TaskView, next_step, phase_of, ran_out
from agents.drivers.base import Driver, LogChunk, Observation, Task
from agents.gpu.nvml import Gpu
from agents.link.artifacts import Carrier
from agents.runtime.last_logs import LastLogs, read_all
from agents.runtime.tasks import ending_task_of, files_of, seen_of, status_of, task_of
from agents.store import HeldStore
from agents.telemetry import SpanRecorder, Timed
from tidegate.model.assignment import Assignment, Phase, Status
from tidegate.model.errors import NotFound, Refused, Unavailable
from tidegate.model.registry import Artifact
from tidegate.model.session import Difference
from tidegate.model.workload import WorkloadKind

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""Between two looks at a task that needs nothing."""
STOP_GRACE_SECONDS = 10.0
COUNTED_EVERY_MS = 30_000
"""How much of an absence a crash may leave uncounted: work lives that much longer, never shorter."""
MAX_METRICS = 64


@dataclass
class Tended:
    """One task and what is known of it."""

    assignment: Assignment
    view: TaskView
    folder: Path
    task: Task | None = None
    seen: Observation | None = None
    phase: Phase = Phase.PLACED
    told: Status | None = None
    look: asyncio.Event = field(default_factory=asyncio.Event)


class Site:
    """Everything of this site that outlives a session with the broker."""

    def __init__(
        self,
        store: HeldStore,
        cache: ContentCache,
        drivers: dict[WorkloadKind, Driver],
        spans: SpanRecorder,
        folder: Path,
        clock: Clock,
        advertise_host: str = "",
        gpus: tuple[Gpu, ...] = (),
    ) -> None:
        """`gpus` are this host's, of which assignments name theirs."""
        self.held = store.read()
        self.carrier: Carrier | None = None
        """Files to and from the broker, while there is a session."""
        self.pending: dict[str, tuple[int, Status]] = {}
        """By workload id: the newest status that the broker has not acknowledged, and the report's sequence."""
        self.news = asyncio.Event()
        self._store = store
        self._cache = cache
        self._drivers = drivers
        self._spans = spans
        self._folder = folder
        self._clock = clock
        self._counted_from_us = clock.monotonic_us()
        self._advertise = advertise_host
        self._gpus = gpus
        self._last_logs = LastLogs(folder.parent / "logs")
        self._tended: dict[str, Tended] = {}
        self._group: asyncio.TaskGroup | None = None
        self._sequence = 0

    async def run(self) -> None:
        """Tend what is held and what will be told, until cancelled."""
        for status in self.held.ended.values():
            self._tell(status)
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._retain()
            self._reconcile()
            await asyncio.Event().wait()

    @property
    def running(self) -> tuple[str, ...]:
        """Workloads that the engines have alive."""
        return tuple(key for key, each in self._tended.items() if each.view.seen is Seen.ALIVE)

    # The broker's word

    def greeted(self, epoch: int) -> None:
        """A session began. Refused when the broker is an older one than was known."""
        self._hold(replace(self.held.greeted(epoch), away_since=0, away_ms=0))
        self._reconcile()
        for tended in self._tended.values():
            tended.look.set()  # whoever waits to try again was probably waiting for this

    def told(self, difference: Difference) -> None:
        """Take the difference durably, then act on it. Refused or Conflict when it is not taken."""
        known = {**self.held.assignments, **self.held.leaving}
        self._hold(self.held.told(difference))
        for gone in difference.removals:
            if gone not in known:  # it was given and taken back while this site was away: nobody else will let go of it
                self._tell(
                    Status(gone, self.held.generation, Phase.CANCELLED, "never came here", at=self._clock.now_ms())
                )
        log.info("holding generation %d with %d assignments", self.held.generation, len(self.held.assignments))
        self._reconcile()

    @property
    def away_ms(self) -> int:
        """How long the broker has been away while an agent was here to notice; 0 while it is there.

        Counted by the clock that is never set, so that a wall clock set forward ends nobody's work; over restarts by
        what was written. What an agent did not live through is not counted: then nothing served either.
        """
        if not self.held.away_since:
            return 0
        return self.held.away_ms + (self._clock.monotonic_us() - self._counted_from_us) // 1_000

    def lost(self, at: int) -> None:
        """The link is gone, or still is. The away window and what was counted of it survive any number of restarts."""
        if not self.held.away_since:
            self._counted_from_us = self._clock.monotonic_us()
            self._hold_away(replace(self.held, away_since=at, away_ms=0))
        elif self.away_ms - self.held.away_ms >= COUNTED_EVERY_MS:
            self._hold_away(replace(self.held, away_ms=self.away_ms))
            self._counted_from_us = self._clock.monotonic_us()

    def _hold_away(self, away: Held) -> None:
        """Work goes on where it cannot be written: then a restart counts from what was."""
        try:
            self._hold(away)
        except Unavailable as error:
            log.warning("how long the link has been away is not written down: %s", error)
            self.held = away

    def _hold(self, held: Held) -> None:
        """Durable first: where the disk does not take it, what was held before is held still, here as well."""
        self._store.write(held)
        self.held = held

    def reported(self, sequence: int) -> None:
        """The broker has all reports up to this one."""
        self.pending = {key: each for key, each in self.pending.items() if each[0] > sequence}

    async def logs(self, workload_id: str, offset: int) -> LogChunk:
        """What a workload has logged, after its end too. NotFound when nothing of it is here, Unavailable where the
        disk does not give it.
        """
        tended = self._tended.get(workload_id)
        try:
            if tended is not None and tended.folder.exists():
                return await self._driver(tended).logs(self._task(tended), offset)
            kept = await asyncio.to_thread(self._last_logs.read, workload_id, offset)
        except OSError as error:
            raise Unavailable(f"the log cannot be read: {error}", field="workload_id", found=workload_id) from error
        if kept is None:
            raise NotFound("has no log here", field="workload_id", found=workload_id)
        return kept

    async def stop_all(self, kind: WorkloadKind) -> None:
        """Stop what runs of one kind, on this machine only: it is still held, and a later agent starts it again.

        All at once: many services take no longer than the slowest.
        """
        await asyncio.gather(
            *(
                self._driver(tended).stop(tended.task, STOP_GRACE_SECONDS)
                for tended in self._tended.values()
                if tended.assignment.workload.kind is kind and tended.task is not None
            )
        )

    # Tending

    def _reconcile(self) -> None:
        if self._group is None:
            return
        for key, assignment in {**self.held.leaving, **self.held.assignments}.items():
            self._spans.join(key, assignment.traceparent)
            tended = self._tended.get(key)
            if tended is None:
                folder = self._folder / key
                view = TaskView(
                    wanted=key in self.held.assignments,
                    generation=assignment.generation,
                    ended=key in self.held.ended,
                    remains=folder.exists(),
                )
                self._tended[key] = Tended(assignment, view, folder)
                self._group.create_task(self._tend(key))
            elif tended.assignment.generation != assignment.generation:
                self._renew(tended, assignment)
            elif key in self.held.assignments:
                self._want(tended, True)
        for key, tended in self._tended.items():
            if key not in self.held.assignments:
                self._want(tended, False)

    def _renew(self, tended: Tended, assignment: Assignment) -> None:
        tended.assignment, tended.task = assignment, None
        tended.view = replace(
            tended.view, wanted=True, fetched=False, prepared=False, generation=assignment.generation, ended=False
        )
        tended.phase = Phase.PLACED
        tended.look.set()

    def _want(self, tended: Tended, wanted: bool) -> None:
        if tended.view.wanted != wanted:
            tended.view = replace(tended.view, wanted=wanted)
            if wanted:
                tended.phase = Phase.PLACED  # it had run out and begins again: what it was told of its stop is over
            tended.look.set()

    async def _tend(self, key: str) -> None:
        tended = self._tended[key]
        failures = 0
        while True:
            tended.look.clear()
            view, assignment = tended.view, tended.assignment
            if view.wanted and ran_out(assignment, self.away_ms):
                log.info("%s ends: its disconnect block has run out", key)
                self._want(tended, False)
                continue
            step = next_step(view)
            try:
                if step is Step.FORGET:
                    if await self._forgotten(tended):
                        return
                    continue
                await self._stepped(step, tended)
                # A start that holds only for a moment is no success: the wait grows until the service answers.
                failures = failures if step is Step.START and tended.view.seen is not Seen.ALIVE else 0
                self._note(tended)
            except (Unavailable, OSError) as error:  # a full disk, too: other work goes on, and this when there is room
                wait = delay_ms(failures, self._clock.fraction(), RETRY_FIRST_MS, RETRY_LONGEST_MS)
                log.warning("%s: %s failed, again in %d ms: %s", key, step.value, wait, error)
                failures += 1
                with suppress(Unavailable):  # an end that cannot be written down is not told; it is tried again
                    self._note(tended, f"{step.value}: {error}")
                await self._rest(tended, max(0.05, wait / 1000))

    async def _stepped(self, step: Step, tended: Tended) -> None:
        try:
            if step is not Step.REST:
                await self._do(step, tended)
                return
            await self._rest(tended, LOOK_SECONDS)
            if not tended.view.ended:
                await self._observe(tended)
        except Refused as error:
            if not tended.view.wanted:  # its end is told already, and is no other for that
                raise Unavailable(str(error)) from error
            log.warning("%s: %s refused: %s", tended.assignment.workload_id, step.value, error)
            self._finish(tended, self._status(tended, Phase.FAILED, str(error)))
            await self._rest(tended, LOOK_SECONDS)

    async def _do(self, step: Step, tended: Tended) -> None:
        assignment = tended.assignment
        driver = self._driver(tended)
        match step:
            case Step.OBSERVE:
                await self._observe(tended)
            case Step.FETCH:
                await self._fetch(tended)
            case Step.PREPARE:
                with self._span("prepare", assignment):
                    tended.view = replace(tended.view, remains=True)
                    await driver.prepare(self._task(tended))
                self._at(tended, assignment, prepared=True)
            case Step.START:
                if tended.view.started == assignment.generation and not await self._whole(assignment):
                    tended.view = replace(tended.view, fetched=False)
                    raise Unavailable("a file was damaged on this disk and is fetched again")
                with self._span("start", assignment):
                    await driver.start(self._task(tended))
                self._at(tended, assignment, started=assignment.generation)
                await self._observe(tended)
                if tended.view.seen in (Seen.ABSENT, Seen.STOPPED):
                    raise Unavailable(tended.seen.detail if tended.seen else "it did not stay up")
            case Step.COLLECT:
                with self._span("collect", assignment):
                    await self._collect(tended)
            case Step.STOP:
                await driver.stop(self._task(tended), STOP_GRACE_SECONDS)
                await self._observe(tended)
            case Step.REMOVE:
                begin, words = await read_all(driver, self._task(tended))
                await asyncio.to_thread(self._last_logs.keep, assignment.workload_id, begin, words)
                await driver.remove(self._task(tended))
                tended.view = replace(tended.view, remains=False, seen=Seen.ABSENT, started=-1, prepared=False)

    def _at(self, tended: Tended, assignment: Assignment, *, prepared: bool | None = None, started: int = -2) -> None:
        """Note what was done, unless a newer assignment came meanwhile: then it has to be done again for that one."""
        if tended.assignment is not assignment:
            return
        if prepared is not None:
            tended.view = replace(tended.view, prepared=prepared)
        if started != -2:
            tended.view = replace(tended.view, started=started)

    async def _observe(self, tended: Tended) -> None:
        tended.seen = await self._driver(tended).observe(self._task(tended))
        tended.view = replace(tended.view, seen=seen_of(tended.seen, tended.assignment.workload.kind))

    async def _fetch(self, tended: Tended) -> None:
        assignment = tended.assignment

        def wanted() -> bool:
            return tended.view.wanted and tended.assignment is assignment

        for digest in files_of(assignment):
            if not await asyncio.to_thread(self._cache.verified, digest):
                self._note(tended)  # it may take long
                with self._span("fetch", assignment):
                    if not await self._linked().fetch(self._cache, digest, wanted):
                        return
            self._cache.use(assignment.workload_id, digest)
        if tended.assignment is assignment:
            tended.view = replace(tended.view, fetched=True)

    async def _whole(self, assignment: Assignment) -> bool:
        """Whether its files are still what they were when they came. Asked when what was started has died."""
        for digest in files_of(assignment):
            if not await asyncio.to_thread(self._cache.verified, digest):
                return False
        return True

    async def _collect(self, tended: Tended) -> None:
        """Outputs to the broker first, success told after: whoever hears of it finds the files there."""
        outputs: list[Artifact] = []
        metrics: dict[str, str] = {}
        for path in await self._driver(tended).outputs(self._task(tended)):
            outputs.append(await self._linked().push(path))
            if path.name == "metrics.json":
                metrics = _metrics(path)
        status = self._status(tended, Phase.SUCCEEDED)
        tended.view = replace(tended.view, collected=True)
        self._finish(tended, replace(status, outputs=tuple(outputs), metrics={**status.metrics, **metrics}))

    async def _forgotten(self, tended: Tended) -> bool:
        """Let the record of a task go; False while it is still assigned, its `disconnect` block having run out."""
        key = tended.assignment.workload_id
        if key not in self.held.assignments:
            self._hold(self.held.left(key))
            self._tell(self._status(tended, Phase.CANCELLED))
            self._tended.pop(key)
            self._retain()
            return True
        await self._rest(tended, LOOK_SECONDS)
        if not ran_out(tended.assignment, self.away_ms):
            self._want(tended, True)
        return False

    def _retain(self) -> None:
        """Files of what is held stay, all others go. Where that fails, it is done at the next end or the next start."""
        held = {**self.held.leaving, **self.held.assignments}
        try:
            self._cache.retain(held, {digest for each in held.values() for digest in files_of(each)})
        except Unavailable as error:
            log.warning("files of what is gone stay on the disk: %s", error)

    async def _rest(self, tended: Tended, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await tended.look.wait()

    # Reporting

    def _note(self, tended: Tended, detail: str = "") -> None:
        """Tell the broker what changed. An end is written down before it is told, so that nothing runs twice."""
        if tended.view.ended:
            return
        phase = advance(tended.phase, phase_of(tended.view))
        status = self._status(tended, phase, detail)
        if phase.ended:
            self._finish(tended, status)
        elif tended.told is None or replace(status, at=tended.told.at) != tended.told:
            tended.phase, tended.told = phase, status
            self._tell(status)

    def _finish(self, tended: Tended, status: Status) -> None:
        tended.phase = status.phase
        if status.workload_id in self.held.assignments:
            self._hold(self.held.finished(status))
        tended.view = replace(tended.view, ended=True)
        self._tell(status)

    def _status(self, tended: Tended, phase: Phase, detail: str = "") -> Status:
        status = status_of(tended.assignment, phase, tended.seen, self._clock.now_ms(), self._advertise)
        return replace(status, detail=detail) if detail else status

    def _tell(self, status: Status) -> None:
        self._sequence += 1
        self.pending[status.workload_id] = (self._sequence, status)
        self.news.set()

    # Parts

    def _task(self, tended: Tended) -> Task:
        if tended.task is None and not tended.view.wanted:
            return ending_task_of(tended.assignment, self._cache, tended.folder)
        if tended.task is None:
            tended.task = task_of(tended.assignment, self._cache, tended.folder, self._gpus)
        return tended.task

    def _driver(self, tended: Tended) -> Driver:
        driver = self._drivers.get(tended.assignment.workload.kind)
        if driver is None:
            raise Refused("no engine here runs it", field="kind", found=tended.assignment.workload.kind.value)
        return driver

    def _linked(self) -> Carrier:
        if self.carrier is None:
            raise Unavailable("the broker is away")
        return self.carrier

    @contextmanager
    def _span(self, name: str, assignment: Assignment) -> Iterator[None]:
        began, error = self._clock.now_ns(), ""
        try:
            yield
        except (Refused, Unavailable) as wrong:
            error = str(wrong)
            raise
        finally:
            self._spans.record(
                Timed(name, began, self._clock.now_ns(), assignment.traceparent, assignment.workload_id, error)
            )


def _metrics(path: Path) -> dict[str, str]:
    """A job's own measurements, as text; what is no flat object is left out."""
    try:
        found = json.loads(path.read_text())
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        str(key): str(value) for key, value in list(found.items())[:MAX_METRICS] if not isinstance(value, dict | list)
    }
