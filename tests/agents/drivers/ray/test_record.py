"""From attempts to what the agent is told."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.drivers.base import ERROR_TAIL_LINES, TaskPhase
from agents.drivers.ray import record
from agents.drivers.ray.api import Job
from agents.drivers.ray.record import Attempt, Record
from tidegate.model.errors import Refused

SECOND = 1_000_000_000
FIRST = Attempt(1, "c1", "job-1-1", submitted_ns=10 * SECOND, cluster_up_ms=4000)


def wanted(*attempts: Attempt, stop: bool = False) -> Record:
    return Record(wanted=True, stop_asked=stop, attempts=attempts)


def ended(ending: str, number: int = 1) -> Attempt:
    return replace(FIRST, number=number, ending=ending)


def test_phases_before_the_end():
    assert Record().phase(0) == TaskPhase.ABSENT
    assert wanted().phase(0) == TaskPhase.STARTING
    assert wanted(FIRST).phase(0) == TaskPhase.STARTING
    assert wanted(replace(FIRST, run={"began_ns": 1})).phase(0) == TaskPhase.STARTING
    assert wanted(replace(FIRST, run={"began_ns": 1, "gang_ns": 2})).phase(0) == TaskPhase.RUNNING


def test_ends():
    assert wanted(ended("succeeded")).phase(0) == TaskPhase.SUCCEEDED
    assert wanted(ended("failed")).phase(0) == TaskPhase.FAILED
    assert wanted(ended("lost")).phase(0) == TaskPhase.FAILED
    assert wanted(ended("stopped")).phase(3) == TaskPhase.STOPPED
    assert wanted(stop=True).phase(3) == TaskPhase.STOPPED


def test_retries_are_counted():
    assert wanted(ended("failed")).phase(1) == TaskPhase.STARTING
    assert wanted(ended("failed"), ended("lost", 2)).phase(1) == TaskPhase.FAILED
    assert wanted(ended("failed"), ended("lost", 2)).phase(2) == TaskPhase.STARTING


def test_a_failure_after_stop_was_asked_is_not_tried_again():
    assert wanted(ended("failed"), stop=True).phase(5) == TaskPhase.STOPPED


def test_a_success_that_was_faster_than_the_stop_counts():
    assert wanted(ended("succeeded"), stop=True).phase(0) == TaskPhase.SUCCEEDED


def test_what_ray_refused_is_not_tried_again():
    told = record.refused(wanted(), "no such environment", 5)
    assert told.phase(5) == TaskPhase.FAILED
    assert told.observation(5).detail == "no such environment"


def test_the_runner_knows_the_exit_code_best():
    text = "\n".join(f"line {number}" for number in range(50)) + "\n\n"
    job = Job("job-1-1", "FAILED", "Job entrypoint command failed\nmore", 1)
    attempt = record.concluded(FIRST, job, {"exit_code": 3}, text)
    seen = wanted(attempt).observation(0)
    assert (seen.phase, seen.exit_code, seen.detail, seen.attempt) == (TaskPhase.FAILED, 3, "exit code 3", 1)
    assert len(seen.error_tail) == ERROR_TAIL_LINES
    assert seen.error_tail[-1] == "line 49"


def test_a_runner_that_died_leaves_the_word_to_ray():
    attempt = record.concluded(FIRST, Job("job-1-1", "FAILED", "the driver's node died\nmore", None), {}, "")
    assert (attempt.exit_code, attempt.detail) == (None, "the driver's node died")


def test_measurements_are_there_once_their_moment_has_come():
    run = {"began_ns": 11 * SECOND, "gang_ns": 15 * SECOND}
    found = record.measurements(replace(FIRST, run=run))
    assert found == {"cluster_up_ms": 4000, "upload_ms": 0, "queued_ms": 1000, "gang_wait_ms": 4000}


def test_a_record_survives_its_file(tmp_path):
    told = wanted(replace(ended("failed"), error_tail=("a", "b"), run={"gang_ns": 5}), replace(FIRST, number=2))
    assert record.load(tmp_path) == Record()
    record.save(tmp_path, told)
    assert record.load(tmp_path) == told


@given(st.text(max_size=60), st.integers(4, 9))
def test_pieces_of_a_log_make_the_log(text, limit):
    data, offset, pieces = text.encode(), 0, []
    while offset < len(data):
        piece, offset = record.piece(data, offset, limit)
        assert 0 < len(piece.encode()) <= limit
        pieces.append(piece)
    assert "".join(pieces) == text
    assert record.piece(data, offset + 5, limit) == ("", offset + 5)


@pytest.mark.parametrize("content", [b"", b"\0\0\0\x81", b"[]", b'{"attempts": [{"number": 1}]}'])
def test_a_damaged_record_fails_its_job_alone(tmp_path, content):
    (tmp_path / "ray.json").write_bytes(content)
    with pytest.raises(Refused, match="damaged"):
        record.load(tmp_path)
