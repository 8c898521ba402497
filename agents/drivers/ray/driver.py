"""The driver: training tasks as jobs on a Ray cluster that is there while it is needed.

`start` writes down that the task is wanted and returns; from then on one asyncio task tends it: brings the cluster up,
sends the code, submits the attempt, follows it, keeps its log, tries again where retries are left. All of it can be
lost at any moment: `observe` or `start` after a restart finds the record (see `record`), the cluster and the
submission again, because the submission id is made of the task's id and the attempt's number.

Limits: one look at each job in `POLL_SECONDS`. Ray fixes the grace between SIGTERM and SIGKILL when a job is submitted
(`stop_grace_s`), so `stop` can wait longer but not shorten it. `logs` of a running attempt asks Ray for all of its
log, since Ray's interface knows no offsets; of an ended attempt it reads a file.
"""

import asyncio
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from agents.drivers.base import LOG_CHUNK_BYTES, LogChunk, Observation, Task, TrainingSpec
from agents.drivers.ray import gang, package, record
from agents.drivers.ray.api import RayApi
from agents.drivers.ray.provider import Cluster, Provider
from agents.drivers.ray.record import Attempt, Record
from agents.drivers.ray.tenancy import SpanSink, Tenancy
from agents.drivers.ray.workspace import environment, log_path, output_dir, packed_code, run_report
from tidegate.model.errors import Refused, Unavailable

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
TROUBLE_SECONDS = 2.0
"""The rest after the cluster did not answer."""


def no_spans(_name: str, _start_ns: int, _end_ns: int, _attributes: Mapping[str, str | int]) -> None:
    """For those who do not trace."""


@dataclass
class _Run:
    """One task under way here."""

    task: Task
    spec: TrainingSpec
    record: Record
    trouble: str = ""
    damaged: bool = False
    """Whether the disk lost its record: what it runs is known to the cluster alone."""
    tending: asyncio.Task[None] | None = None
    nudge: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ended(self) -> bool:
        return self.record.phase(self.spec.max_retries).ended

    def keep(self, fresh: Record) -> None:
        """Write, then know."""
        record.save(self.task.data_dir, fresh)
        self.record = fresh


class RayDriver:
    """`agents.drivers.base.Driver` over one `Provider`."""

    def __init__(
        self,
        provider: Provider,
        *,
        now_ns: Callable[[], int],
        idle_s: float = 30.0,
        gang_timeout_s: float = 120.0,
        stop_grace_s: float = 10.0,
        leave_running: bool = False,
        on_span: SpanSink = no_spans,
    ) -> None:
        """The cluster goes down after `idle_s` without tasks, and with `close` unless `leave_running`.

        Needs a running event loop: the idle time of a cluster that an earlier driver left begins here.
        """
        self._provider = provider
        self._now_ns = now_ns
        self._gang_timeout_s = gang_timeout_s
        self._stop_grace_s = stop_grace_s
        self._leave_running = leave_running
        self._on_span = on_span
        self._tenancy = Tenancy(provider, idle_s, now_ns, on_span)
        self._runs: dict[str, _Run] = {}
        self._api: RayApi | None = None
        self._tenancy.adopt()

    async def prepare(self, task: Task) -> None:
        """Check that the gang can ever be whole here, and pack the code."""
        spec = _spec(task)
        gang.check(spec, self._provider.shapes)
        await asyncio.to_thread(packed_code, task, spec)

    async def start(self, task: Task) -> None:
        """Want it; the rest happens by itself."""
        run = self._run(task)
        if run.ended or run.record.stop_asked:
            return
        if not run.record.wanted:
            await self.prepare(task)
            run.keep(replace(run.record, wanted=True))
        self._tend(run)

    async def observe(self, task: Task) -> Observation:
        """What was seen last, at most `POLL_SECONDS` ago where the cluster answers."""
        run = self._run(task)
        self._tend(run)
        return run.record.observation(run.spec.max_retries, run.trouble)

    async def stop(self, task: Task, grace_s: float) -> None:
        """Ask Ray to end it and wait until it has; `TidegateError` of family Unavailable where it did not in time."""
        run = self._run(task)
        if run.damaged:
            await self._stop_unrecorded(task, grace_s)
        if run.ended or not (run.record.wanted or run.record.attempts):
            return
        run.keep(replace(run.record, stop_asked=True))
        await self._quit(run)  # whatever it waits for: the cluster to come up, an upload
        last = run.record.last
        if last is None or last.ending:
            self._tenancy.release(task.id)
            return
        self._tend(run)
        run.nudge.set()
        try:
            async with asyncio.timeout(max(grace_s, self._stop_grace_s) + 10):
                if run.tending is not None:
                    await asyncio.shield(run.tending)
        except TimeoutError as error:
            raise Unavailable(f"job {last.submission_id} has not stopped yet") from error

    async def remove(self, task: Task) -> None:
        """Stop it, forget it, delete its folder."""
        if task.data_dir.exists():
            await self.stop(task, 0)
            await asyncio.to_thread(shutil.rmtree, task.data_dir, ignore_errors=True)
        self._runs.pop(task.id, None)

    async def logs(self, task: Task, offset: int) -> LogChunk:
        """From the attempts' kept logs and the running one's, one after the other."""
        run = self._run(task)
        begin, ended = 0, run.ended
        for attempt in run.record.attempts:
            data = await self._log_of(run, attempt)
            if offset < begin + len(data):
                text, end = record.piece(data, offset - begin, LOG_CHUNK_BYTES)
                whole = ended and attempt is run.record.last and end == len(data)
                return LogChunk(text, begin + end, whole)
            begin += len(data)
        return LogChunk("", offset, ended)

    async def outputs(self, task: Task) -> list[Path]:
        """The files of the attempt that succeeded."""
        last = self._run(task).record.last
        if last is None or last.ending != "succeeded":
            return []
        return sorted(path for path in output_dir(task, last.number).rglob("*") if path.is_file())

    async def close(self) -> None:
        """Stop tending. The jobs go on where the cluster is left running, and are lost with it otherwise."""
        for run in self._runs.values():
            await self._quit(run)
        if self._api is not None:
            await self._api.close()
        await self._tenancy.close(leave=self._leave_running)

    def _run(self, task: Task) -> _Run:
        run = self._runs.get(task.id)
        if run is None:
            run = self._runs[task.id] = self._opened(task)
        return run

    def _opened(self, task: Task) -> _Run:
        """As recorded; ended where the record is damaged, since what ran once must not run again."""
        try:
            return _Run(task, _spec(task), record.load(task.data_dir))
        except record.Damaged as error:
            return _Run(task, _spec(task), record.refused(Record(), str(error), self._now_ns()), damaged=True)

    async def _stop_unrecorded(self, task: Task, grace_s: float) -> None:
        """End whatever the cluster runs under this task's name."""
        cluster = await self._tenancy.current()
        if cluster is None:
            return
        api = await self._api_of(cluster)
        try:
            async with asyncio.timeout(max(grace_s, self._stop_grace_s) + 10):
                while going := [job for job in await api.jobs() if is_of(task, job.submission_id) and not job.ended]:
                    for job in going:
                        await api.stop(job.submission_id)
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError as error:
            raise Unavailable(f"the jobs of task {task.id} have not stopped yet") from error

    def _tend(self, run: _Run) -> None:
        """See to it that somebody tends it. What broke the last one who did is raised to whoever asks next."""
        if run.ended or not run.record.wanted:
            return
        if run.tending is not None and run.tending.done() and not run.tending.cancelled():
            broken, run.tending = run.tending.exception(), None
            if broken is not None:
                raise broken
        if run.tending is None or run.tending.done():
            self._tenancy.hold(run.task.id)
            run.tending = asyncio.create_task(self._tend_to_the_end(run), name=f"ray {run.task.id}")

    async def _quit(self, run: _Run) -> None:
        if run.tending is not None and not run.tending.done():
            run.tending.cancel()
            await asyncio.gather(run.tending, return_exceptions=True)

    async def _tend_to_the_end(self, run: _Run) -> None:
        """The only one who changes the record of a task that is wanted."""
        while not run.ended:
            rest = POLL_SECONDS
            try:
                await self._step(run)
                run.trouble = ""
            except Unavailable as error:
                log.warning("task %s waits: %s", run.task.id, error)
                run.trouble, rest = str(error), TROUBLE_SECONDS
            except Refused as error:  # by Ray: it would refuse the next attempt too
                run.keep(record.refused(run.record, str(error), self._now_ns()))
            if not run.ended:
                await _rest(run.nudge, rest)
        self._tenancy.release(run.task.id)

    async def _step(self, run: _Run) -> None:
        """The one thing that comes next for this task."""
        last = run.record.last
        if last is None or last.ending:
            run.trouble = run.trouble or "the ray cluster is coming up"
            await self._submit_next(run, await self._tenancy.cluster())
            return
        cluster = await self._tenancy.current()
        if cluster is None or cluster.id != last.cluster_id:
            await self._conclude(run, record.lost(last), "")
            return
        api = await self._api_of(cluster)
        job = await api.job(last.submission_id)
        if job is None:  # written down, never arrived
            await self._submit(run, last, api)
            return
        if run.record.stop_asked and not job.ended:
            await api.stop(last.submission_id)
        told = run_report(run.task, last.number)
        if job.ended:
            text = await api.logs(last.submission_id)
            await self._conclude(run, record.concluded(last, job, told, text), text)
        elif told != last.run:
            run.keep(run.record.with_last(replace(last, run=told)))

    async def _submit_next(self, run: _Run, cluster: Cluster) -> None:
        task, number = run.task, len(run.record.attempts) + 1
        api = await self._api_of(cluster)
        warm = any(other.cluster_id == cluster.id for one in self._runs.values() for other in one.record.attempts)
        began = self._now_ns()
        packed = await asyncio.to_thread(packed_code, task, run.spec)
        if not await api.has_package(packed.name):
            await api.put_package(packed.name, packed.data)
        now = self._now_ns()
        self._span(run, number, "ray.package.upload", began, now)
        for folder in (output_dir(task, number), task.data_dir / "checkpoints"):
            folder.mkdir(parents=True, exist_ok=True)
        attempt = Attempt(
            number=number,
            cluster_id=cluster.id,
            submission_id=submission_id(task, number),
            submitted_ns=now,
            cluster_up_ms=0 if warm else cluster.up_ms,
            upload_ms=(now - began) // 1_000_000,
        )
        run.keep(replace(run.record, attempts=(*run.record.attempts, attempt)))
        await self._submit(run, attempt, api, packed)

    async def _submit(self, run: _Run, attempt: Attempt, api: RayApi, packed: package.Package | None = None) -> None:
        if packed is None:
            packed = await asyncio.to_thread(packed_code, run.task, run.spec)
        runtime_env = {
            "working_dir": packed.uri,
            "env_vars": environment(run.task, run.spec, attempt.number, self._gang_timeout_s, self._stop_grace_s),
        }
        metadata = {"task": run.task.id, "name": run.task.name, "attempt": str(attempt.number)}
        command = f"{api.cluster.python} {package.RUNNER_NAME}"
        await api.submit(attempt.submission_id, command, runtime_env, metadata)

    async def _conclude(self, run: _Run, attempt: Attempt, text: str) -> None:
        """Keep the log, then the end, then tell of it."""
        log_path(run.task, attempt.number).write_text(text)
        run.keep(run.record.with_last(attempt))
        told = attempt.run
        stretches = (
            ("ray.job.queued", attempt.submitted_ns, told.get("began_ns")),
            ("ray.gang.wait", told.get("began_ns"), told.get("gang_ns")),
            ("ray.job.run", told.get("gang_ns"), told.get("ended_ns")),
        )
        for name, begin, end in stretches:
            if begin and end:
                self._span(run, attempt.number, name, begin, end, ending=attempt.ending)

    async def _log_of(self, run: _Run, attempt: Attempt) -> bytes:
        if attempt.ending:
            kept = log_path(run.task, attempt.number)
            return await asyncio.to_thread(kept.read_bytes) if kept.exists() else b""
        cluster = await self._tenancy.current()
        if cluster is None or cluster.id != attempt.cluster_id:
            return b""
        return (await (await self._api_of(cluster)).logs(attempt.submission_id)).encode()

    async def _api_of(self, cluster: Cluster) -> RayApi:
        if self._api is None or self._api.cluster != cluster:
            stale, self._api = self._api, RayApi(cluster)
            if stale is not None:
                await stale.close()
        return self._api

    def _span(self, run: _Run, attempt: int, name: str, begin: int, end: int, **more: str | int) -> None:
        self._on_span(name, begin, end, {"tidegate.task": run.task.id, "tidegate.attempt": attempt, **more})


async def _rest(nudge: asyncio.Event, seconds: float) -> None:
    """Until nudged, at most so long."""
    try:
        async with asyncio.timeout(seconds):
            await nudge.wait()
    except TimeoutError:
        return
    nudge.clear()


def _spec(task: Task) -> TrainingSpec:
    if not isinstance(task.spec, TrainingSpec):
        raise Refused("ray runs training jobs only", field="kind", found=str(task.kind), wanted="training")
    return task.spec


def submission_id(task: Task, attempt: int) -> str:
    """What an attempt is called at Ray."""
    return f"{task.id}-{task.generation}-{attempt}"


def is_of(task: Task, submission: str) -> bool:
    """Whether an attempt of this task, of whichever generation, is called so."""
    return submission.rsplit("-", 2)[0] == task.id
