"""A log that was written before a decision's matrix was packed reads as it did."""

import pytest

from broker.log.record import Row
from broker.runtime.history import to_recorded
from tidegate.model.decision import Cost, Decision, Kind, Miss, Outcome, Ranked, Score, Slot, Unit
from tidegate.model.errors import Broken
from tidegate.model.event import WorkloadDecided
from tidegate.v1 import decision_pb2, event_pb2, older_pb2
from tidegate.wire.codec import encode_event, to_message

MISSES = (
    Miss("gdpr/residency", "aws", "site.jurisdiction", "In", ("EU",), ("US",)),
    Miss("latency", "aws", "latency.p99", "Le", ("plant",), (), 50_000, 90_000, Unit.MICROSECONDS, "node", 7),
    Miss("latency", "hall", "latency.p99", "Le", ("plant",), ("unknown",), 50_000, 0, Unit.MICROSECONDS),
)


RANKED = (
    Ranked("press", (Slot("press", "node", 2), Slot("press", "big", 1)), Cost(7, idle=1), Score(0, 0, 8, 2, 5)),
    Ranked("aws", (Slot("aws", "m5", 3),), Cost(9, 1), Score(0, 1, 10, 0, 4)),
)


def row(payload: bytes, version: int) -> Row:
    return Row(offset=9, kind="workload_decided", version=version, at=5, payload=payload, crc=0, chain=b"")


def old_payload() -> bytes:
    decision = Decision(
        Outcome.PLACED, ("aws", "hall", "press"), (), slots=RANKED[0].slots, policies=("gdpr@1",), decided_at=5
    )
    older = older_pb2.DecisionVersion1(
        columns=[
            older_pb2.RuleColumnVersion1(rule="gdpr/residency", because="Art. 44", allowed=b"\0\1\1", enforced=True),
            older_pb2.RuleColumnVersion1(rule="latency", allowed=b"\0\0\1", enforced=True),
            older_pb2.RuleColumnVersion1(rule="copies", allowed=b"\1\1\1", enforced=True),
        ],
        misses=[to_message(miss) for miss in MISSES],
        ranked=[to_message(one) for one in RANKED],
    )
    message = decision_pb2.Decision.FromString(to_message(decision).SerializeToString() + older.SerializeToString())
    return event_pb2.Event(
        workload_decided=event_pb2.WorkloadDecided(at=5, workload_id="w8", decision=message)
    ).SerializeToString()


def test_misses_come_back_as_they_were_written() -> None:
    event = to_recorded(row(old_payload(), 1)).event
    assert isinstance(event, WorkloadDecided)
    decision = event.decision
    assert (event.workload_id, decision.candidates, decision.policies) == ("w8", ("aws", "hall", "press"), ("gdpr@1",))
    assert decision.misses == MISSES
    assert decision.ranked == RANKED
    assert (decision.runner_up, decision.margin_micros_per_hour) == ("aws", 2)
    assert [column.allowed(3) for column in decision.columns] == [
        (False, True, True),
        (False, False, True),
        (True,) * 3,
    ]
    assert [column.kind for column in decision.columns] == [Kind.LAW, Kind.REACH, Kind.CAPACITY]
    again = to_recorded(row(encode_event(event), 2)).event
    assert again == event


def test_rubbish_is_broken_and_says_which_row() -> None:
    with pytest.raises(Broken, match="workload_decided@1"):
        to_recorded(row(b"\xff\xff\xff", 1))
