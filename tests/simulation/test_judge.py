"""The judge of histories: what was acknowledged is in the log, and it is that which is there."""

from pathlib import Path
from random import Random

import pytest

from broker.log.record import Head, chained
from broker.runtime.history import to_record
from tests.simulation.broker import BrokerMachine
from tests.simulation.checks import Findings, acknowledged
from tests.simulation.people import Asked, History
from tests.simulation.store import LogDisk
from tests.support.builders import job
from tidegate.model.event import Event, KeyAnswered, WorkloadSubmitted

KEPT = WorkloadSubmitted(5, job("kept"), key="one/1")
SO_ALREADY = KeyAnswered(6, "submit", "w1", "one/2")


def found(*events: Event, **answers: str) -> list[str]:
    """What the judge finds, of a log with these events; answers by the number of the engineer's request."""
    log = LogDisk(Random(1), lambda where, what: None)
    log.rows = chained(Head(), [to_record(event) for event in events])
    findings = Findings()
    asked = [Asked(f"one/{number[1:]}", "submit", 1.0, acknowledged=answer) for number, answer in answers.items()]
    acknowledged(BrokerMachine(log, Path("/nowhere")), History(asked), findings)
    return findings.found


def test_what_is_there_as_it_was_answered_is_well() -> None:
    assert not found(KEPT, SO_ALREADY, r1="w1", r2="w1")


@pytest.mark.parametrize("answer", ["w1", "w2"])
def test_a_submission_that_is_gone_is_missed_though_another_came_to_its_place(answer: str) -> None:
    (one,) = found(KEPT, r2=answer)
    assert "one/2" in one and "nothing" in one


def test_an_answer_that_names_another_is_found() -> None:
    (one,) = found(KEPT, SO_ALREADY, r1="w1", r2="w2")
    assert "one/2 was answered w2" in one and "w1" in one
