"""What the driver knows of one task, kept in its `data_dir`; and what follows from it. The rules do no I/O.

    data_dir/ray.json              Record, as JSON, replaced whole
    data_dir/package.zip           the code, packed
    data_dir/checkpoints/          $TIDEGATE_CHECKPOINTS, shared by all attempts
    data_dir/attempts/N/output/    $TIDEGATE_OUTPUT of attempt N (from 1)
    data_dir/attempts/N/run.json   what the runner tells (see `runner`)
    data_dir/attempts/N/log.txt    the attempt's log, once it has ended

An attempt goes `submitted` -> one of `ENDINGS` and never back. A task ends with its last attempt:

    attempt ended as   retries left   task
    succeeded          -              SUCCEEDED
    failed, lost       yes            next attempt
    failed, lost       no             FAILED
    refused            -              FAILED
    stopped            -              STOPPED
    (none, stop asked) -              STOPPED
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from agents.drivers.base import ERROR_TAIL_LINES, Observation, TaskPhase
from agents.drivers.ray.api import Job
from tidegate.files import FileSystem, RealFiles, put
from tidegate.model.errors import Refused, Unavailable

ENDINGS = ("succeeded", "failed", "lost", "refused", "stopped")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One submission to one cluster."""

    number: int
    cluster_id: str
    submission_id: str
    submitted_ns: int
    """Before the call, so that what the call brought about is always later."""
    cluster_up_ms: int = 0
    upload_ms: int = 0
    ending: str = ""
    exit_code: int | None = None
    detail: str = ""
    error_tail: tuple[str, ...] = ()
    run: dict[str, Any] = field(default_factory=dict)
    """What the runner told last."""


@dataclass(frozen=True, slots=True)
class Record:
    """One task's story here."""

    wanted: bool = False
    stop_asked: bool = False
    attempts: tuple[Attempt, ...] = ()

    @property
    def last(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None

    def with_last(self, attempt: Attempt) -> "Record":
        """The newest attempt replaced."""
        return replace(self, attempts=(*self.attempts[:-1], attempt))

    def phase(self, max_retries: int) -> TaskPhase:
        """How far the task has come."""
        last = self.last
        if last is None or not last.ending:
            if self.stop_asked and last is None:
                return TaskPhase.STOPPED
            if not self.wanted:
                return TaskPhase.ABSENT
            return TaskPhase.RUNNING if last and "gang_ns" in last.run else TaskPhase.STARTING
        if last.ending == "succeeded":
            return TaskPhase.SUCCEEDED
        if self.stop_asked or last.ending == "stopped":
            return TaskPhase.STOPPED
        return TaskPhase.FAILED if last.ending == "refused" or last.number > max_retries else TaskPhase.STARTING

    def observation(self, max_retries: int, trouble: str = "") -> Observation:
        """What the agent is told; `trouble` is why the engine keeps it waiting."""
        last = self.last
        if last is None:
            return Observation(self.phase(max_retries), detail=trouble)
        return Observation(
            phase=self.phase(max_retries),
            detail=trouble or last.detail or _doing(last),
            exit_code=last.exit_code,
            error_tail=last.error_tail,
            attempt=last.number,
            measurements=measurements(last),
        )


def concluded(attempt: Attempt, job: Job, run: dict[str, Any], log_text: str) -> Attempt:
    """The attempt with the end that Ray told. The runner knows the exit code best, Ray where the runner died."""
    ending = {"SUCCEEDED": "succeeded", "STOPPED": "stopped"}.get(job.status, "failed")
    code = run.get("exit_code", job.exit_code)
    detail = "" if ending == "succeeded" else str(run.get("why") or _short(job.message, code))
    tail = () if ending == "succeeded" else error_tail(log_text)
    return replace(attempt, ending=ending, exit_code=code, detail=detail, error_tail=tail, run=run)


def lost(attempt: Attempt) -> Attempt:
    """The attempt whose cluster is gone."""
    return replace(attempt, ending="lost", detail=f"ray cluster {attempt.cluster_id} was lost while it ran")


def refused(told: Record, why: str, now_ns: int) -> Record:
    """The record after Ray refused what was asked: ended, whatever retries are left."""
    last = told.last
    if last is None or last.ending:
        last = Attempt(len(told.attempts) + 1, "", "", now_ns)
        told = replace(told, attempts=(*told.attempts, last))
    return told.with_last(replace(last, ending="refused", detail=why))


def error_tail(log_text: str) -> tuple[str, ...]:
    """The last lines that say something."""
    return tuple(line for line in log_text.splitlines() if line.strip())[-ERROR_TAIL_LINES:]


def measurements(attempt: Attempt) -> dict[str, int]:
    """Whole numbers from what the runner told. An entry is absent where its moment has not come."""
    run, found = attempt.run, {"cluster_up_ms": attempt.cluster_up_ms, "upload_ms": attempt.upload_ms}
    moments = {
        "queued_ms": (attempt.submitted_ns, run.get("began_ns")),
        "gang_wait_ms": (run.get("began_ns"), run.get("gang_ns")),
        "run_ms": (run.get("gang_ns"), run.get("ended_ns")),
    }
    found.update({name: (end - begin) // 1_000_000 for name, (begin, end) in moments.items() if begin and end})
    found.update({name: run[name] for name in ("cpu_ms", "max_rss_bytes", "nodes") if run.get(name) is not None})
    return found


def piece(data: bytes, offset: int, limit: int) -> tuple[str, int]:
    """UTF-8 text from `offset`, at most `limit` bytes, never cut inside a character; and where it ends.

    An offset past the end gives nothing and itself back.
    """
    end = min(len(data), offset + limit)
    while offset < end < len(data) and data[end] & 0xC0 == 0x80:
        end -= 1
    return data[offset:end].decode(errors="replace"), max(offset, end)


class Damaged(Refused):
    """What the disk gives back is no record."""


def load(data_dir: Path, files: FileSystem | None = None) -> Record:
    """The record in this folder; an empty one where there is none.

    Unavailable where it cannot be read; Damaged where it is: only this job fails, and is not run twice.
    """
    try:
        told = json.loads((files or RealFiles()).read(str(data_dir / "ray.json")))
    except FileNotFoundError:
        return Record()
    except OSError as error:
        raise Unavailable(f"the record of a job cannot be read: {error}", field=str(data_dir)) from error
    except ValueError as error:
        raise _damaged(data_dir, error) from error
    try:
        attempts = tuple(Attempt(**{**row, "error_tail": tuple(row["error_tail"])}) for row in told.pop("attempts"))
        return Record(**told, attempts=attempts)
    except (AttributeError, KeyError, TypeError) as error:
        raise _damaged(data_dir, error) from error


def _damaged(data_dir: Path, error: Exception) -> Damaged:
    return Damaged(f"the record of a job is damaged: {error!r}", field=str(data_dir / "ray.json"))


def save(data_dir: Path, record: Record, files: FileSystem | None = None) -> None:
    """Replace the record, durably. Unavailable: the one before stands."""
    try:
        put(files or RealFiles(), str(data_dir / "ray.json"), [json.dumps(asdict(record)).encode()])
    except OSError as error:
        raise Unavailable(f"the record of a job was not written: {error}", field=str(data_dir)) from error


def _doing(attempt: Attempt) -> str:
    step = attempt.run.get("step")
    return {"gathering": "waiting for the gang", "running": "", "ended": ""}.get(str(step), "submitted")


def _short(message: str, code: int | None) -> str:
    first = message.strip().splitlines()[0] if message.strip() else ""
    return f"exit code {code}" if code is not None else first[:300]
